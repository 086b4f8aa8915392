//! Durable streams: what the server says of them, whose turn it is, and what the app made of it. One stream by itself is
//! `crate::streams`.
//!
//! - One message of a stream is in hand at a time, and its position moves when the app has handled it. What is then said of it
//!   is in `receipts`.
//! - A message that the app fails with is handed over again, after 500 ms, 1 s, 2 s and 4 s; the fifth failure is told as
//!   `Poisoned`, and the stream goes on behind it.
//! - Serves "Durable delivery" of docs/protocol.md.

use super::Client;
use crate::{
    ClientEvent, CloseReason, EpochTag, GapReason, Output, PayloadRef, StreamId,
    streams::{Hand, Item, MAX_WAITING, Stream},
    timers::Timer,
};

/// The first redelivery comes after this long, each further one after twice as long.
const REDELIVER_MS: u32 = 500;
/// So many failures make a message poisonous.
const MAX_FAILURES: u32 = 5;

impl Client {
    /// What the driver remembers of a stream. It counts only before anything is known of it.
    pub(super) fn position(&mut self, id: StreamId, tag: EpochTag, handled: u32) {
        let stream = self.stream(id);
        if stream.tag.is_none() && stream.front().is_none() {
            stream.tag = Some(tag);
            stream.handled = handled;
            stream.stored = handled;
        }
    }

    /// The server says where a stream stands. What this client holds and the server does not know of comes again, and is
    /// dropped then; what the server takes it to hold and it does not, is missing.
    pub(super) fn attached(&mut self, id: StreamId, tag: EpochTag, offset: u32) {
        if !self.attach(id) {
            return;
        }
        let stream = self.stream(id);
        match stream.end() {
            (None, _) => {
                stream.tag = Some(tag);
                stream.handled = offset;
                stream.acked = offset;
                self.persist(id);
            }
            (Some(known), end) if known == tag => {
                if offset > end {
                    self.queue_gap(id, tag, end + 1, offset, GapReason::Retention);
                }
            }
            _ => self.queue_gap(id, tag, 1, offset, GapReason::Epoch),
        }
    }

    /// The server says what will never come.
    pub(super) fn gap(
        &mut self,
        id: StreamId,
        tag: EpochTag,
        from: u32,
        to: u32,
        reason: GapReason,
    ) {
        if !self.attach(id) {
            return;
        }
        let (known, end) = self.stream(id).end();
        // Told before; or long behind us. (A stream that was set back is told as an epoch, and goes back.)
        let is_old =
            known == Some(tag) && (to == end || (to < end && reason == GapReason::Retention));
        if !is_old {
            self.queue_gap(id, tag, from, to, reason);
        }
    }

    /// A stored message arrived. Answers whether it was kept: otherwise it is to be released.
    pub(super) fn durable(&mut self, id: StreamId, offset: u32, body: PayloadRef) -> bool {
        let in_session = self.phase.is_login();
        let stream = self.stream(id);
        if !in_session || !stream.attached || offset <= stream.end().1 {
            return false;
        }
        if stream.len() >= MAX_WAITING {
            self.lose(CloseReason::Error);
            return false;
        }
        stream.push(Item::Message { offset, body });
        self.turn(id);
        true
    }

    /// The app fails with this for the last time.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn give_up(&mut self, id: StreamId, turn: u32) {
        let stream = self.stream(id);
        if stream.hand == Hand::Awaited(turn) {
            stream.failures = MAX_FAILURES - 1;
        }
        self.handled(id, turn, false);
    }

    /// What the app made of what it had in hand. Stale turns are ignored.
    pub(super) fn handled(&mut self, id: StreamId, turn: u32, ok: bool) {
        let stream = self.stream(id);
        if stream.hand != Hand::Awaited(turn) {
            return;
        }
        if ok {
            return self.pass(id);
        }
        stream.failures += 1;
        if stream.failures < MAX_FAILURES {
            stream.hand = Hand::Resting;
            let rest = REDELIVER_MS << (stream.failures - 1);
            return self.set(Timer::Redeliver, rest);
        }
        if let Some(item) = stream.front() {
            let body = body_of(item);
            self.event(ClientEvent::Poisoned {
                stream: id,
                offset: item.offset(),
                body,
            });
        }
        self.pass(id);
    }

    /// The session is over (`all` is false), or the user may be another one, or nobody: nobody is handed a former user's message.
    pub(super) fn detach_streams(&mut self, all: bool) {
        for stream in &mut self.streams {
            stream.attached = false;
            while let Some(item) = stream.let_go(all) {
                if let Some(body) = body_of(item) {
                    self.outputs.push(Output::Release { body });
                }
            }
        }
    }

    /// The client is destroyed: not even what the app has in its hands is waited for.
    pub(super) fn drop_streams(&mut self) {
        for stream in &mut self.streams {
            stream.hand = Hand::Free;
        }
        self.detach_streams(true);
    }

    /// Hands over again what the app failed with. A stream whose session is over waits for the next one.
    pub(super) fn redeliver(&mut self) {
        for at in 0..self.streams.len() {
            let stream = &mut self.streams[at];
            if stream.hand == Hand::Resting && stream.attached {
                stream.hand = Hand::Free;
                self.turn(StreamId(at as u32));
            }
        }
    }

    /// The server speaks of a stream; that counts within a session only.
    fn attach(&mut self, id: StreamId) -> bool {
        if !self.phase.is_login() {
            return false;
        }
        let is_first = self.streams.iter().all(|stream| !stream.attached);
        let stream = self.stream(id);
        stream.attached = true;
        if stream.stored > stream.acked {
            // Stored since the login was sent.
            self.acknowledge_soon();
        }
        let stream = self.stream(id);
        if stream.hand == Hand::Resting {
            self.set(Timer::Redeliver, REDELIVER_MS);
        }
        if is_first && !self.visible {
            self.tell_visibility();
        }
        true
    }

    fn queue_gap(&mut self, id: StreamId, tag: EpochTag, from: u32, to: u32, reason: GapReason) {
        let stream = self.stream(id);
        if stream.len() >= MAX_WAITING {
            return self.lose(CloseReason::Error);
        }
        stream.push(Item::Gap {
            tag,
            from,
            to,
            reason,
        });
        self.turn(id);
    }

    /// Hands the front over, if nobody has it.
    fn turn(&mut self, id: StreamId) {
        let turn = self.last_turn.wrapping_add(1);
        let stream = self.stream(id);
        let (Hand::Free, Some(item)) = (stream.hand, stream.front()) else {
            return;
        };
        stream.hand = Hand::Awaited(turn);
        self.last_turn = turn;
        if let Item::Gap {
            from,
            to,
            reason,
            tag,
        } = item
        {
            self.event(ClientEvent::Gap {
                stream: id,
                tag,
                from,
                to,
                reason,
            });
        }
        self.out(Output::Turn {
            stream: id,
            turn,
            body: body_of(item),
        });
    }

    /// What is in hand is done with: the position moves past it, and the next one has its turn.
    fn pass(&mut self, id: StreamId) {
        let stream = self.stream(id);
        let body = stream.front().and_then(body_of);
        stream.pass_front();
        self.persist(id);
        if let Some(body) = body {
            self.out(Output::Release { body });
        }
        self.turn(id);
    }

    /// The stream of this number, which was checked.
    pub(super) fn stream(&mut self, id: StreamId) -> &mut Stream {
        let at = id.0 as usize;
        while self.streams.len() <= at {
            self.streams.push(Stream::new());
        }
        &mut self.streams[at]
    }
}

fn body_of(item: Item) -> Option<PayloadRef> {
    match item {
        Item::Message { body, .. } => Some(body),
        Item::Gap { .. } => None,
    }
}
