//! The loop of one shard: events, commands, deliveries in slices, the sweep. Everything that touches a connection
//! happens here, on one thread, without locks of its own.

mod incoming;
mod leaving;
mod outgoing;
mod stored;

use super::clock::Clock;
use super::compression::{Codec, Compression};
use super::connection::Connection;
use super::conversation::Manner;
use super::fanout::FanOut;
use super::mailbox::{Command, Mailbox};
use super::processors::Processors;
use super::sweep::Sweep;
use crate::config::Config;
use crate::delivery::Delivery;
use crate::hub::{Generations, Hub};
use crate::metrics::Metrics;
use crate::presence::Presence;
use leaving::Drain;
use mio::{Events, Poll, Token};
use slab::Slab;
use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

/// What all shards and the HTTP side share.
#[derive(Debug)]
pub struct World {
    /// The settings.
    pub config: Config,
    /// What is said to a client's messages.
    pub manner: Manner,
    /// What is compressed, and for whom.
    pub compression: Compression,
    /// Where shards deliver.
    pub processors: Processors,
    /// Who is where.
    pub hub: Arc<Hub>,
    /// What is stored, and sent again.
    pub delivery: Delivery,
    /// What the outside sees.
    pub presence: Presence,
    /// What happened.
    pub metrics: Metrics,
}

/// One shard.
#[derive(Debug)]
pub struct Shard {
    index: u8,
    world: Arc<World>,
    mailbox: Arc<Mailbox>,
    poll: Poll,
    connections: Slab<Connection>,
    generations: Generations,
    fanout: FanOut,
    sweep: Sweep,
    /// Slots with bytes to read that no event will announce. At most one entry per connection.
    unread: VecDeque<usize>,
    read_buffer: Box<[u8]>,
    answers: Vec<u8>,
    codec: Option<Box<Codec>>,
    /// Bytes of incomplete messages, all connections together.
    held: usize,
    last_ping: u64,
    drain: Option<Drain>,
    clock: Clock,
}

/// The waker's token; connections have their slots.
pub const WAKER: Token = Token(usize::MAX);
/// Events taken from the kernel in one turn.
const EVENTS: usize = 256;
/// Bytes read from one connection in one turn: a flooder gets no more of the shard than this.
const READ_BUFFER: usize = 16 * 1024;
/// Connections read again in one turn; the others keep their place for the next.
const READS_AGAIN: usize = 64;

impl Shard {
    /// A shard over its poll, whose waker is the mailbox's.
    pub fn new(index: u8, poll: Poll, mailbox: Arc<Mailbox>, world: Arc<World>) -> Self {
        Self {
            index,
            sweep: Sweep::new(&world.config.timing),
            world,
            mailbox,
            poll,
            connections: Slab::new(),
            generations: Generations::default(),
            fanout: FanOut::default(),
            unread: VecDeque::new(),
            read_buffer: vec![0; READ_BUFFER].into(),
            answers: Vec::new(),
            codec: None,
            held: 0,
            last_ping: 0,
            drain: None,
            clock: Clock::start(),
        }
    }

    /// Serves until it is told to stop. A panic (a bug of ours) costs this shard's connections, not the server: they
    /// are dropped, their devices come back.
    pub fn run(mut self) {
        loop {
            match std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.serve())) {
                Ok(Ok(())) => break,
                Ok(Err(error)) => tracing::error!(shard = self.index, %error, "poll failed"),
                Err(_) => tracing::error!(
                    shard = self.index,
                    "a shard panicked; its connections are dropped"
                ),
            }
            self.drop_all();
        }
        self.drop_all();
    }

    fn serve(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.clock.begin_turn(timeout);
            for event in &events {
                if event.token() != WAKER {
                    let slot = event.token().0;
                    if event.is_writable() {
                        self.writable(slot);
                    }
                    if event.is_readable() || event.is_read_closed() || event.is_error() {
                        self.readable(slot, event.is_read_closed() || event.is_error());
                    }
                }
            }
            for command in self.mailbox.take() {
                match command {
                    Command::Adopt(newcomer) => self.adopt(*newcomer),
                    Command::Deliver(delivery) => self.fanout.push(delivery),
                    Command::Ready(ready) => self.ready(*ready),
                    Command::Inspect(inspect) => self.inspect(&inspect),
                    Command::Drain { spread_ms } => {
                        self.drain = Some(Drain {
                            cursor: 0,
                            spread_ms,
                        })
                    }
                    Command::Stop => return Ok(()),
                }
            }
            for _ in 0..self.unread.len().min(READS_AGAIN) {
                let Some(slot) = self.unread.pop_front() else {
                    break;
                };
                if let Some(connection) = self.connections.get_mut(slot) {
                    connection.is_queued = false;
                    self.readable(slot, true);
                }
            }
            self.deliver_slice();
            self.sweep_slice();
            if self.drain_slice() {
                return Ok(());
            }
        }
    }

    fn timeout(&self) -> Option<Duration> {
        let is_draining = self
            .drain
            .as_ref()
            .is_some_and(|drain| drain.cursor < self.connections.capacity());
        if !self.unread.is_empty() || !self.fanout.is_idle() || is_draining {
            return Some(Duration::ZERO);
        }
        // Without connections there is nothing to time.
        (!self.connections.is_empty())
            .then(|| Duration::from_millis(self.sweep.due_in_ms(self.now_ms())))
    }

    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }
}

#[cfg(test)]
mod tests;
