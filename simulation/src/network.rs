//! Connections: two pipes each, in order, with delay; a connection may be cut, stalled, or known to be dead on one side only.

use crate::event::Event;
use crate::queue::Queue;
use crate::rng::Rng;
use heartline_client_core::Epoch;
use std::collections::{BTreeMap, VecDeque};

/// Names a connection, for the whole run.
pub type LinkId = u64;

/// What is under way.
#[derive(Debug)]
pub enum Frame {
    /// A text frame of the wire.
    Text(String),
    /// The end, as the peer says it.
    Close {
        /// The close code.
        code: Option<u16>,
        /// The advice in its reason.
        retry_ms: Option<u32>,
    },
}

/// One connection.
#[derive(Debug)]
pub struct Link {
    /// Whose it is.
    pub device: usize,
    /// In which life of the app it was dialled.
    pub life: u32,
    /// Under which name the client's core speaks of it.
    pub epoch: Epoch,
    /// The client's side believes in it.
    pub client_open: bool,
    /// The server's side does.
    pub server_open: bool,
    up: Pipe,
    down: Pipe,
    stalled_until: u64,
}

#[derive(Debug, Default)]
struct Pipe {
    frames: VecDeque<Frame>,
    latest: u64,
    is_dead: bool,
}

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    Up,
    /// To the device.
    Down,
}

/// Every connection that somebody still knows.
#[derive(Debug, Default)]
pub struct Network {
    links: BTreeMap<LinkId, Link>,
    last: LinkId,
}

impl Network {
    /// A connection that the server has accepted.
    pub fn connect(&mut self, device: usize, life: u32, epoch: Epoch) -> LinkId {
        self.last += 1;
        let link = Link {
            device,
            life,
            epoch,
            client_open: true,
            server_open: true,
            up: Pipe::default(),
            down: Pipe::default(),
            stalled_until: 0,
        };
        self.links.insert(self.last, link);
        self.last
    }

    /// A connection, if anybody still knows it.
    pub fn link(&mut self, id: LinkId) -> Option<&mut Link> {
        self.links.get_mut(&id)
    }

    /// All that somebody knows.
    pub fn links(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.links.iter().map(|(id, link)| (*id, link))
    }

    /// Hands a frame to the network.
    pub fn send(
        &mut self,
        (id, way): (LinkId, Way),
        frame: Frame,
        now_ms: u64,
        delay_ms: u64,
        queue: &mut Queue<Event>,
    ) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let (pipe, event) = match way {
            Way::Up => (&mut link.up, Event::Up(id)),
            Way::Down => (&mut link.down, Event::Down(id)),
        };
        if pipe.is_dead {
            return;
        }
        // Nothing overtakes.
        pipe.latest = pipe.latest.max(now_ms + delay_ms).max(link.stalled_until);
        pipe.frames.push_back(frame);
        queue.put(pipe.latest, event);
    }

    /// The frame that arrives now; `Err` with a time: the connection is stalled until then.
    pub fn arrive(&mut self, id: LinkId, way: Way, now_ms: u64) -> Result<Option<Frame>, u64> {
        let Some(link) = self.links.get_mut(&id) else {
            return Ok(None);
        };
        if link.stalled_until > now_ms {
            return Err(link.stalled_until);
        }
        let pipe = match way {
            Way::Up => &mut link.up,
            Way::Down => &mut link.down,
        };
        let frame = pipe.frames.pop_front();
        self.forget_if_over(id);
        Ok(frame)
    }

    /// Nothing arrives before then.
    pub fn stall(&mut self, id: LinkId, until_ms: u64) {
        if let Some(link) = self.links.get_mut(&id) {
            link.stalled_until = until_ms;
        }
    }

    /// The connection is dead from now on: of what is under way, the first few frames may still arrive.
    pub fn cut(&mut self, id: LinkId, rng: &mut Rng) {
        if let Some(link) = self.links.get_mut(&id) {
            for pipe in [&mut link.up, &mut link.down] {
                pipe.is_dead = true;
                let keeps = rng.below(pipe.frames.len() as u64 * 2 + 1) as usize;
                let loses_all = rng.chance(50);
                pipe.frames.truncate(if loses_all { 0 } else { keeps });
            }
        }
        self.forget_if_over(id);
    }

    /// The client does not believe in it any more; what it may still be told is under way.
    pub fn client_leaves(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.client_open = false;
        }
        self.forget_if_over(id);
    }

    /// The server does not believe in it any more.
    pub fn server_leaves(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.server_open = false;
        }
        self.forget_if_over(id);
    }

    /// The process on the device is gone: nothing reaches it any more.
    pub fn abandon(&mut self, id: LinkId) {
        if let Some(link) = self.links.get_mut(&id) {
            link.client_open = false;
            link.down.is_dead = true;
            link.down.frames.clear();
        }
        self.forget_if_over(id);
    }

    fn forget_if_over(&mut self, id: LinkId) {
        let is_over = self.links.get(&id).is_some_and(|link| {
            let is_empty = link.up.frames.is_empty() && link.down.frames.is_empty();
            !link.client_open && !link.server_open && is_empty
        });
        if is_over {
            self.links.remove(&id);
        }
    }
}
