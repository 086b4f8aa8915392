//! Where one connection stands on one stream, pure: what may be sent now, what must be read from the store first.
//!
//! A connection is *live* when it was sent everything there is: then the next message goes straight to it. Otherwise it
//! is *behind*, and gets pages from the store until it has caught up. Nothing is kept for it meanwhile: what is published while a
//! page is being read only raises [`Cursor::head`], and comes with a later page. So there is no gap, no duplicate, and
//! no buffer, however far behind a device is and however fast others publish.
//!
//! What was sent and not acknowledged is bounded by a window of messages and bytes. A device that does not acknowledge is
//! simply behind; it costs two numbers.

use crate::store::{Epoch, Offset, PageLimits};

/// Messages that may be under way to one connection, unacknowledged.
pub const WINDOW_MESSAGES: u32 = 256;
/// Bytes that may be; one message more than that is always let through.
pub const WINDOW_BYTES: usize = 1024 * 1024;
/// Messages in one page.
const PAGE_MESSAGES: u32 = 128;
/// Bytes in one page, one message more at the most.
const PAGE_BYTES: usize = 64 * 1024;

/// Where one connection stands on one stream.
#[derive(Clone, Debug)]
pub struct Cursor {
    epoch: Epoch,
    /// Everything up to here was sent, or is known never to come.
    sent: Offset,
    /// The highest offset that is known to exist.
    head: Offset,
    /// A page is under way from the store. Meanwhile nothing else is sent.
    is_reading: bool,
    flight: Flight,
}

/// What became of a message that was just published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// Send it now.
    Send,
    /// It was noted, and comes with a page.
    Later,
    /// It was sent already.
    Stale,
    /// It is of another epoch: the connection must be attached anew.
    Foreign,
}

/// What a page says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageFacts {
    /// The stream's epoch when it was read.
    pub epoch: Epoch,
    /// The stream's last offset then.
    pub head: Offset,
    /// The last offset that retention has removed; 0: none.
    pub trimmed: Offset,
    /// Everything up to here is in the page, or will never come.
    pub through: Offset,
    /// The last message in the page.
    pub last: Option<Offset>,
    /// How many messages it has.
    pub messages: u32,
    /// Their bytes.
    pub bytes: usize,
}

/// Messages that retention removed before this connection could get them: both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The first.
    pub from: Offset,
    /// The last.
    pub to: Offset,
}

impl Cursor {
    /// A connection that holds everything up to `at` and has acknowledged everything up to `acked`; `unhandled` messages of those
    /// between count as under way.
    pub fn new(epoch: Epoch, at: Offset, acked: Offset, unhandled: u32, head: Offset) -> Self {
        Self {
            epoch,
            sent: at,
            head: head.max(at),
            is_reading: false,
            flight: Flight::begun(at, acked, unhandled),
        }
    }

    /// The epoch it stands in.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Everything up to here was sent, or will never come.
    pub fn sent(&self) -> Offset {
        self.sent
    }

    /// The highest offset that is known to exist.
    pub fn head(&self) -> Offset {
        self.head
    }

    /// Messages that were sent and are not acknowledged; a little more at times.
    pub fn in_flight(&self) -> u32 {
        self.flight.messages()
    }

    /// A message was published before the connection stood anywhere.
    pub fn heard_of(&mut self, epoch: Epoch, offset: Offset) {
        if epoch == self.epoch {
            self.head = self.head.max(offset);
        }
    }

    /// A message was published. [`Live::Send`] counts it as sent.
    pub fn live(&mut self, epoch: Epoch, offset: Offset, bytes: usize) -> Live {
        if epoch != self.epoch {
            return Live::Foreign;
        }
        self.head = self.head.max(offset);
        if offset <= self.sent {
            return Live::Stale;
        }
        if self.is_reading || offset.0 != self.sent.0 + 1 || !self.flight.has_room() {
            return Live::Later;
        }
        self.sent = offset;
        self.flight.left(offset, 1, bytes);
        Live::Send
    }

    /// The page to be read next, if the connection is behind and its window is open. It counts as under way until
    /// [`Self::page`].
    pub fn next_read(&mut self) -> Option<(Offset, PageLimits)> {
        if self.is_reading || self.sent >= self.head || !self.flight.has_room() {
            return None;
        }
        self.is_reading = true;
        let limits = PageLimits {
            messages: PAGE_MESSAGES
                .min(WINDOW_MESSAGES.saturating_sub(self.flight.messages()))
                .max(1),
            bytes: PAGE_BYTES
                .min(WINDOW_BYTES.saturating_sub(self.flight.bytes()))
                .max(1),
        };
        Some((self.sent, limits))
    }

    /// The page under way has come, and is sent after what this answers: what is gone for good. A page of another epoch
    /// answers `Err`: the connection must be attached anew.
    ///
    /// # Errors
    /// When the stream's epoch is another one now.
    pub fn page(&mut self, facts: &PageFacts) -> Result<Option<Missing>, Foreign> {
        self.is_reading = false;
        if facts.epoch != self.epoch {
            return Err(Foreign);
        }
        let missing = (facts.trimmed > self.sent).then_some(Missing {
            from: Offset(self.sent.0 + 1),
            to: facts.trimmed,
        });
        self.sent = self.sent.max(facts.through).max(facts.trimmed);
        self.head = self.head.max(facts.head).max(self.sent);
        if let Some(last) = facts.last {
            self.flight.left(last, facts.messages, facts.bytes);
        }
        Ok(missing)
    }

    /// The device has handled everything up to `offset`. Answers the offset that this really acknowledges: never more than was
    /// sent; `None` when it is no news.
    pub fn ack(&mut self, offset: Offset) -> Option<Offset> {
        let offset = offset.min(self.sent);
        self.flight.arrived(offset).then_some(offset)
    }
}

/// The stream's epoch is another one than the connection was attached in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign;

/// What was sent and not acknowledged, in two spans: up to a mark, and behind it. An acknowledgement of the mark clears the
/// first. So the sum is exact or a little too high, without a list of what is under way.
#[derive(Clone, Debug)]
struct Flight {
    acked: Offset,
    mark: Offset,
    last: Offset,
    before: Span,
    behind: Span,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    messages: u32,
    bytes: usize,
}

impl Flight {
    fn begun(at: Offset, acked: Offset, unhandled: u32) -> Self {
        let before = Span {
            messages: unhandled,
            bytes: 0,
        };
        Self {
            acked,
            mark: at,
            last: at,
            before,
            behind: Span::default(),
        }
    }

    fn messages(&self) -> u32 {
        self.before.messages.saturating_add(self.behind.messages)
    }

    fn bytes(&self) -> usize {
        self.before.bytes + self.behind.bytes
    }

    fn has_room(&self) -> bool {
        self.messages() < WINDOW_MESSAGES && self.bytes() < WINDOW_BYTES
    }

    /// Some messages left, the last of which is `last`.
    fn left(&mut self, last: Offset, messages: u32, bytes: usize) {
        let is_first = self.before.messages == 0;
        let span = if is_first {
            &mut self.before
        } else {
            &mut self.behind
        };
        span.messages += messages;
        span.bytes += bytes;
        self.last = last;
        if is_first {
            self.mark = last;
        }
    }

    /// Whether an acknowledgement is news.
    fn arrived(&mut self, offset: Offset) -> bool {
        if offset <= self.acked {
            return false;
        }
        self.acked = offset;
        if offset >= self.last {
            (self.before, self.behind) = Default::default();
        } else if offset >= self.mark {
            self.before = std::mem::take(&mut self.behind);
            self.mark = self.last;
        }
        true
    }
}

#[cfg(test)]
mod tests;
