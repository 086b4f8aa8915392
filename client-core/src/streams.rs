//! One durable stream as this client stands on it, pure: what waits, what is in hand, what was handled.
//!
//! A stream's messages are handled one at a time, in order, and the position follows them: the front of the queue is *in
//! hand* while the app's callbacks run. Gaps stand in the same queue, so that the app hears of one where it is.
//!
//! Nothing here is said twice: the end of the queue is what this client holds, and decides what is a repeat. What the queue
//! lost (see [`Stream::let_go`]) is thus asked for again by the next login.

use crate::{EpochTag, GapReason, PayloadRef, Position};

/// Streams of one client: [`crate::Input`]s name them by number, from 0.
pub const MAX_STREAMS: u32 = 64;
/// How much may wait in one stream. An honest server stays far below, within its window.
pub(crate) const MAX_WAITING: usize = 1_024;

/// What waits for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Message {
        offset: u32,
        body: PayloadRef,
    },
    /// Afterwards the stream stands at `to` of `tag`.
    Gap {
        tag: EpochTag,
        from: u32,
        to: u32,
        reason: GapReason,
    },
}

/// What becomes of the front of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hand {
    /// Nobody has it.
    Free,
    /// The app has it, under this turn.
    Awaited(u32),
    /// The app failed with it, and gets it again.
    Resting,
}

/// See the module's page.
pub(crate) struct Stream {
    /// The epoch that `handled` counts in; `None` before the stream stands anywhere.
    pub(crate) tag: Option<EpochTag>,
    /// Everything up to here was handled.
    pub(crate) handled: u32,
    /// Everything up to here is in the driver's storage, in the epoch of `tag`: never more than `handled`.
    pub(crate) stored: u32,
    /// The storage has not said yet that it has `handled`.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) is_unstored: bool,
    /// What the server was told of that, by the login or since.
    pub(crate) acked: u32,
    /// The server said on the present session where the stream stands.
    pub(crate) attached: bool,
    pub(crate) hand: Hand,
    /// How often the app failed with what is in front.
    pub(crate) failures: u32,
    queue: Vec<Item>,
}

impl Stream {
    pub(crate) fn new() -> Self {
        Self {
            tag: None,
            handled: 0,
            stored: 0,
            #[cfg(not(target_arch = "wasm32"))]
            is_unstored: false,
            acked: 0,
            attached: false,
            hand: Hand::Free,
            failures: 0,
            queue: Vec::new(),
        }
    }

    /// The session speaks of it, or something of it waits or is in hand.
    pub(crate) fn is_in_use(&self) -> bool {
        self.attached || !self.queue.is_empty()
    }

    /// It is another stream from now on, which stands nowhere. The present one is not in use.
    pub(crate) fn forget(&mut self) {
        self.tag = None;
        self.handled = 0;
        self.stored = 0;
        self.acked = 0;
    }

    /// Where it stands once everything that waits is handled.
    pub(crate) fn end(&self) -> (Option<EpochTag>, u32) {
        let gap = self.queue.iter().rev().find_map(|item| match *item {
            Item::Gap { tag, .. } => Some(tag),
            Item::Message { .. } => None,
        });
        let offset = self.queue.last().map_or(self.handled, Item::offset);
        (gap.or(self.tag), offset)
    }

    /// What the next login says. A gap in hand is not passed yet, and nothing behind it was kept.
    pub(crate) fn position(&self) -> Option<Position> {
        let received = if self.has_gap() {
            self.handled
        } else {
            self.end().1
        };
        self.tag.map(|tag| Position {
            tag,
            received,
            handled: self.stored,
        })
    }

    /// Whether a gap waits: until it is passed, an acknowledgement would count in the wrong place.
    pub(crate) fn has_gap(&self) -> bool {
        self.first_gap() < self.queue.len()
    }

    pub(crate) fn front(&self) -> Option<Item> {
        self.queue.first().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn push(&mut self, item: Item) {
        self.queue.push(item);
    }

    /// The front was handled: the position moves there. There is a front exactly while the hand is not free.
    pub(crate) fn pass_front(&mut self) {
        let front = self.queue.remove(0);
        if let Item::Gap { tag, to, .. } = front {
            // A stream that was set back keeps its epoch.
            let is_same = self.tag == Some(tag);
            self.stored = if is_same { self.stored.min(to) } else { 0 };
            self.tag = Some(tag);
            // Whatever was told before counts elsewhere.
            self.acked = 0;
        }
        self.handled = front.offset();
        self.hand = Hand::Free;
        self.failures = 0;
    }

    /// Lets go of what waits, latest first, one per call; what the app has in its hands stays there, its fate is still to be told.
    /// At the end of a session (`all` is false) what waits is kept but for gaps, and what came behind them: the next session
    /// says anew what is missing.
    pub(crate) fn let_go(&mut self, all: bool) -> Option<Item> {
        let held = matches!(self.hand, Hand::Awaited(_)).into();
        let keep = if all { 0 } else { self.first_gap() };
        if self.queue.len() > keep.max(held) {
            return self.queue.pop();
        }
        if self.queue.is_empty() {
            self.hand = Hand::Free;
            self.failures = 0;
        }
        None
    }

    /// Where the first gap waits; behind the end if none does.
    fn first_gap(&self) -> usize {
        let is_gap = |item: &Item| matches!(item, Item::Gap { .. });
        let first = self.queue.iter().position(is_gap);
        first.unwrap_or(self.queue.len())
    }
}

impl Item {
    /// Where the stream stands once this is handled.
    pub(crate) fn offset(&self) -> u32 {
        match *self {
            Self::Message { offset, .. } => offset,
            Self::Gap { to, .. } => to,
        }
    }
}
