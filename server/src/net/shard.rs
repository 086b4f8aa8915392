//! The loop of one shard: events, commands, deliveries in slices, the sweep. Everything that touches a connection
//! happens here, on one thread, without locks of its own.

use super::connection::{Connection, close_echo};
use super::conversation::{Conversation, End};
use super::fanout::FanOut;
use super::frame::{self, Opcode};
use super::mailbox::{Command, Mailbox, Newcomer};
use super::outbound::Sent;
use super::sweep::Sweep;
use crate::config::Config;
use crate::hub::{ConnectionRef, Hub};
use crate::metrics::{Happening, Metrics};
use crate::presence::Presence;
use crate::session::{Due, Session};
use bytes::Bytes;
use heartline_protocol::{CloseCode, encode_ping};
use mio::{Events, Interest, Poll, Token};
use slab::Slab;
use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What all shards and the HTTP side share.
#[derive(Debug)]
pub struct World {
    /// The settings.
    pub config: Config,
    /// Who is where.
    pub hub: Hub,
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
    next_generation: u32,
    fanout: FanOut,
    sweep: Sweep,
    /// Slots with bytes to read that no event will announce. At most one entry per connection.
    unread: VecDeque<usize>,
    read_buffer: Box<[u8]>,
    answers: Vec<u8>,
    last_ping: u64,
    drain: Option<Drain>,
    started: Instant,
}

/// The farewell, in progress.
#[derive(Debug)]
struct Drain {
    cursor: usize,
    spread_ms: u64,
}

/// The waker's token; connections have their slots.
pub const WAKER: Token = Token(usize::MAX);
/// Events taken from the kernel in one turn.
const EVENTS: usize = 512;
/// Bytes read from one connection in one turn: a flooder gets no more of the shard than this.
const READ_BUFFER: usize = 16 * 1024;
/// Cost of deliveries in one turn, about one unit per write: well under a millisecond.
const FANOUT_UNITS: usize = 96;
/// Connections that are told to leave in one turn.
const DRAIN_SLICE: usize = 128;
/// How long a closing connection may take to close its side.
const LINGER_MS: u64 = 2_000;
/// The least advice of a drain: a moment for the successor to start.
const DRAIN_ADVICE_MS: u64 = 200;

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
            next_generation: 0,
            fanout: FanOut::default(),
            unread: VecDeque::new(),
            read_buffer: vec![0; READ_BUFFER].into(),
            answers: Vec::new(),
            last_ping: 0,
            drain: None,
            started: Instant::now(),
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
            match self.poll.poll(&mut events, self.timeout()) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
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
                    Command::Drain { spread_ms } => {
                        self.drain = Some(Drain {
                            cursor: 0,
                            spread_ms,
                        })
                    }
                    Command::Stop => return Ok(()),
                }
            }
            for _ in 0..self.unread.len() {
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
        self.started.elapsed().as_millis() as u64
    }

    // ---- coming ----

    fn adopt(&mut self, newcomer: Newcomer) {
        let Newcomer {
            socket,
            mut first_bytes,
            permit,
        } = newcomer;
        if self.connections.len() >= ConnectionRef::MAX_SLOTS {
            return self
                .world
                .metrics
                .note(Happening::TooManyConnections, "the shard is full");
        }
        let session = Session::new(self.now_ms(), &self.world.config.timing);
        let entry = self.connections.vacant_entry();
        let slot = entry.key();
        self.next_generation = self.next_generation.wrapping_add(1);
        let mut socket = mio::net::TcpStream::from_std(socket);
        if let Err(error) =
            self.poll
                .registry()
                .register(&mut socket, Token(slot), Interest::READABLE)
        {
            tracing::warn!(%error, "a socket could not be watched");
            return;
        }
        let number = self.world.presence.next_number();
        entry.insert(Connection::new(
            socket,
            self.next_generation,
            number,
            session,
            permit,
        ));
        self.world.metrics.count(Happening::Connected);
        if let Some(drain) = &self.drain {
            let advice_ms = DRAIN_ADVICE_MS + drain.spread_ms / 2;
            return self.farewell(slot, advice_ms);
        }
        if !first_bytes.is_empty() {
            self.take_in(slot, &mut first_bytes);
        }
    }

    // ---- reading ----

    /// One read from one connection. `to_the_end`: go on in the next turns until the socket is empty, because no
    /// further event is to be relied on.
    fn readable(&mut self, slot: usize, to_the_end: bool) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        connection.has_unread = false;
        if connection.is_blocked() && !connection.is_closing() {
            // Who does not read its answers is not read from. `writable` comes back to this.
            connection.has_unread = true;
            return;
        }
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let outcome = (&connection.socket).read(&mut buffer);
        let is_closing = connection.is_closing();
        match outcome {
            Ok(0) => self.remove(slot),
            Ok(count) => {
                if to_the_end || count == buffer.len() {
                    self.read_again(slot);
                }
                if !is_closing {
                    self.take_in(slot, &mut buffer[..count]);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.read_again(slot),
            Err(_) => self.remove(slot),
        }
        self.read_buffer = buffer;
    }

    fn read_again(&mut self, slot: usize) {
        if let Some(connection) = self
            .connections
            .get_mut(slot)
            .filter(|connection| !connection.is_queued)
        {
            connection.is_queued = true;
            self.unread.push_back(slot);
        }
    }

    fn take_in(&mut self, slot: usize, bytes: &mut [u8]) {
        let now = self.started.elapsed();
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let limit = self.world.config.limits.max_message_bytes;
        connection.session.heard(now.as_millis() as u64);
        let mut conversation = Conversation {
            world: &self.world,
            session: &mut connection.session,
            here: ConnectionRef::new(self.index, slot, connection.generation),
            number: connection.number,
            now_us: now.as_micros() as u64,
            answers: &mut self.answers,
            end: None,
        };
        let fed = connection
            .decoder
            .feed(bytes, limit, |message| conversation.message(message));
        let end = match fed {
            Ok(()) => conversation.end,
            Err(violation) => Some(End::ByUs(violation.close_code())),
        };
        if !self.answers.is_empty() {
            let sent =
                connection.send_own(&self.answers, self.world.config.limits.outbound_queue_bytes);
            self.answers.clear();
            // A hundred kilobytes of answers in one turn are the exception.
            self.answers.shrink_to(64 * 1024);
            self.settle(slot, sent);
        }
        match end {
            None => {}
            Some(End::ByPeer(code)) => self.close_with(slot, close_echo(code), false),
            Some(End::ByUs(code)) => self.close(slot, code),
        }
    }

    // ---- writing ----

    fn writable(&mut self, slot: usize) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        match connection.flush() {
            Ok(is_through) => {
                if is_through && connection.has_unread {
                    self.read_again(slot);
                }
                self.settle(slot, Ok(Sent::Through));
            }
            Err(error) => self.settle(slot, Err(error)),
        }
    }

    /// Carries out what a send means for the connection.
    fn settle(&mut self, slot: usize, sent: io::Result<Sent>) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        match sent {
            Ok(Sent::Through | Sent::Queued) => {
                if connection.watch(self.poll.registry(), Token(slot)).is_err() {
                    self.remove(slot);
                }
            }
            Ok(Sent::TooMuch) => self.close(slot, CloseCode::SlowConsumer),
            Err(_) => self.remove(slot),
        }
    }

    fn deliver_slice(&mut self) {
        if self.fanout.is_idle() {
            return;
        }
        let bound = self.world.config.limits.outbound_queue_bytes;
        let mut fanout = std::mem::take(&mut self.fanout);
        let world = self.world.clone();
        let mut delivered = 0;
        fanout.run(FANOUT_UNITS, |target, frames: &[&Bytes]| {
            let Some(connection) = self.connections.get_mut(target.slot()) else {
                return;
            };
            if connection.generation != target.generation() || connection.is_closing() {
                return;
            }
            let was_blocked = connection.is_blocked();
            let sent = connection.send(frames, bound);
            delivered += frames.len() as u64;
            if was_blocked || !matches!(sent, Ok(Sent::Through)) {
                self.settle(target.slot(), sent);
            }
        });
        self.fanout = fanout;
        world.metrics.add(Happening::Delivered, delivered);
    }

    // ---- time ----

    fn sweep_slice(&mut self) {
        if self.connections.is_empty() {
            return;
        }
        let now_ms = self.now_ms();
        if self.sweep.due_in_ms(now_ms) > 0 {
            return;
        }
        for slot in self.sweep.next_slice(now_ms, self.connections.capacity()) {
            let Some(connection) = self.connections.get_mut(slot) else {
                continue;
            };
            if connection.is_closing() {
                if connection.is_overdue(now_ms) {
                    self.remove(slot);
                }
                continue;
            }
            match connection.session.due(now_ms, &self.world.config.timing) {
                None => {}
                Some(Due::Close(code)) => self.close(slot, code),
                Some(Due::Ping) => self.ping(slot),
            }
        }
    }

    fn ping(&mut self, slot: usize) {
        self.last_ping += 1;
        let text = encode_ping(self.last_ping);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        let mut ping = Vec::new();
        frame::append(&mut ping, Opcode::Text, text.as_bytes());
        let sent = connection.send_own(&ping, self.world.config.limits.outbound_queue_bytes);
        self.world.metrics.count(Happening::PingSent);
        self.settle(slot, sent);
    }

    // ---- going ----

    fn close(&mut self, slot: usize, code: CloseCode) {
        let what = match code {
            CloseCode::ProtocolError | CloseCode::InvalidPayload => Some(Happening::ProtocolError),
            CloseCode::TooBig => Some(Happening::TooBig),
            CloseCode::Idle => Some(Happening::Idle),
            CloseCode::LoginDeadline => Some(Happening::LoginDeadline),
            CloseCode::SlowConsumer => Some(Happening::SlowConsumer),
            CloseCode::RateLimited => Some(Happening::RateLimited),
            CloseCode::TooManyConnections => Some(Happening::TooManyConnections),
            _ => None,
        };
        if let Some(what) = what {
            self.world.metrics.note(what, "a connection is closed");
        }
        self.close_with(
            slot,
            frame::close(code, &code.reason(None)),
            code == CloseCode::SlowConsumer,
        );
    }

    fn close_with(&mut self, slot: usize, last: Bytes, give_up_queue: bool) {
        self.forget(slot);
        let until_ms = self.now_ms() + LINGER_MS;
        let Some(connection) = self
            .connections
            .get_mut(slot)
            .filter(|connection| !connection.is_closing())
        else {
            return;
        };
        let begun = connection.begin_close(last, give_up_queue, until_ms);
        // What still comes is read and dropped, so that the close frame is not lost to a reset.
        self.read_again(slot);
        self.settle(slot, begun.map(|()| Sent::Through));
    }

    fn remove(&mut self, slot: usize) {
        self.forget(slot);
        if self.connections.try_remove(slot).is_some() {
            self.world.metrics.count(Happening::Disconnected);
        }
    }

    /// Hub and presence hear of the end, once: a closing connection is theirs no more.
    fn forget(&mut self, slot: usize) {
        let Some(connection) = self
            .connections
            .get_mut(slot)
            .filter(|connection| !connection.is_closing())
        else {
            return;
        };
        if let Some(user) = connection.session.end() {
            let here = ConnectionRef::new(self.index, slot, connection.generation);
            self.world.hub.leave(here, &user);
        }
        self.world.presence.closed(connection.number);
    }

    /// Tells the next connections to leave; `true` when a drain is over.
    fn drain_slice(&mut self) -> bool {
        let Some(drain) = &mut self.drain else {
            return false;
        };
        // What was accepted is delivered first.
        if !self.fanout.is_idle() {
            return false;
        }
        let slots = self.connections.capacity();
        let (from, spread_ms) = (drain.cursor, drain.spread_ms);
        drain.cursor = slots.min(from + DRAIN_SLICE);
        for slot in from..slots.min(from + DRAIN_SLICE) {
            let advice_ms = DRAIN_ADVICE_MS + spread_ms * slot as u64 / slots.max(1) as u64;
            self.farewell(slot, advice_ms);
        }
        self.connections.is_empty()
    }

    fn farewell(&mut self, slot: usize, advice_ms: u64) {
        let reason = CloseCode::Drain.reason(Some(advice_ms.try_into().unwrap_or(u32::MAX)));
        self.close_with(slot, frame::close(CloseCode::Drain, &reason), false);
    }

    fn drop_all(&mut self) {
        for slot in 0..self.connections.capacity() {
            self.remove(slot);
        }
        self.fanout = FanOut::default();
        self.unread.clear();
    }
}
