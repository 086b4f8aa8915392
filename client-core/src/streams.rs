//! One durable stream as this client stands on it, pure: what waits, what is in hand, what was handled.
//!
//! A stream's messages are handled one at a time, in order, and the position follows them: the front of the queue is *in
//! hand* while the app's callbacks run. Gaps stand in the same queue, so that the app hears of one where it is.
//!
//! Nothing here is said twice: the end of the queue is what this client holds, and decides what is a repeat. What the queue
//! lost (see [`Stream::forget_waiting`]) is thus asked for again by the next login.

use crate::{EpochTag, GapReason, PayloadRef, Position, clock::Moment};

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
    /// The app failed with it, and gets it again then.
    Resting(Moment),
}

/// See the module's page.
pub(crate) struct Stream {
    /// The epoch that `handled` counts in; `None` before the stream stands anywhere.
    pub(crate) tag: Option<EpochTag>,
    /// Everything up to here was handled.
    pub(crate) handled: u32,
    /// What the server was told of that, by the login or since.
    pub(crate) acked: u32,
    /// The server said on the present session where the stream stands.
    pub(crate) attached: bool,
    /// The user may be another one since it was attached last: nobody is handed a former user's message.
    pub(crate) estranged: bool,
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
            acked: 0,
            attached: false,
            estranged: false,
            hand: Hand::Free,
            failures: 0,
            queue: Vec::new(),
        }
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
            handled: self.handled,
        })
    }

    /// Whether a gap waits: until it is passed, an acknowledgement would count in the wrong place.
    pub(crate) fn has_gap(&self) -> bool {
        let is_gap = |item: &Item| matches!(item, Item::Gap { .. });
        self.queue.iter().any(is_gap)
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
        if let Item::Gap { tag, .. } = front {
            self.tag = Some(tag);
            // Whatever was told before counts elsewhere.
            self.acked = 0;
        }
        self.handled = front.offset();
        self.hand = Hand::Free;
        self.failures = 0;
    }

    /// The session is over. What waits is kept but for gaps, and what came behind them: the next session says anew what is
    /// missing. What is in hand stays there. Answers what goes.
    pub(crate) fn detach(&mut self) -> Vec<Item> {
        self.attached = false;
        let held = self.held();
        let is_gap = |item: &Item| matches!(item, Item::Gap { .. });
        let keep = self.queue.iter().skip(held).position(is_gap);
        let in_gap = held > 0 && is_gap(&self.queue[0]);
        self.queue.split_off(if in_gap {
            held
        } else {
            keep.map_or(self.queue.len(), |at| at + held)
        })
    }

    /// The user may be another one from now on. Only what the app has in its hands is kept: its fate is still to be told.
    pub(crate) fn forget_waiting(&mut self) -> Vec<Item> {
        self.attached = false;
        self.estranged = true;
        let held = self.held();
        if held == 0 {
            self.hand = Hand::Free;
            self.failures = 0;
        }
        self.queue.split_off(held)
    }

    /// How much of the queue the app has in its hands.
    fn held(&self) -> usize {
        matches!(self.hand, Hand::Awaited(_)).into()
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
