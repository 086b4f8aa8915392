//! Where a device begins on a stream, pure: what it says it holds against what the store says there is.

use super::cursor::{Cursor, Missing, WINDOW_MESSAGES};
use crate::store::{Epoch, Offset, StreamState};
use heartline_protocol::{GapReason, Position};

/// The beginning of a subscription.
#[derive(Clone, Debug)]
pub struct Start {
    /// Where the connection stands.
    pub cursor: Cursor,
    /// The position to be told; `None` where the gap tells it.
    pub at: Option<Offset>,
    /// What the device will never get.
    pub gap: Option<(Missing, GapReason)>,
    /// What its position acknowledges.
    pub handled: Option<Offset>,
}

/// Decides where a device begins. `acked` is what the store remembers of it: a new device was registered at the head.
///
/// The device's own word counts before the store's memory: it may hold less than it once acknowledged, when its storage was
/// set back. Where the two cannot be told to agree, the device is told of a gap, never silently moved.
pub fn start(stream: &StreamState, acked: Offset, position: Option<&Position>) -> Start {
    let (head, trimmed, epoch) = (stream.head, stream.trimmed, stream.epoch);
    match position {
        None => resume(epoch, acked.min(head), acked.min(head), head, trimmed, None),
        Some(said) if Epoch(said.epoch) != epoch => another(
            epoch,
            Missing {
                from: Offset(1),
                to: trimmed,
            },
            head,
        ),
        // The store was set back (an old copy of its folder): what comes next will carry offsets that the device has seen.
        Some(said) if said.received > head.0 => another(
            epoch,
            Missing {
                from: Offset(head.0.saturating_add(1)),
                to: head,
            },
            head,
        ),
        Some(said) => {
            let received = Offset(said.received);
            let handled = Offset(said.handled.min(said.received));
            resume(epoch, received, handled, head, trimmed, Some(handled))
        }
    }
}

/// The same stream, from where the device stands.
fn resume(
    epoch: Epoch,
    at: Offset,
    handled: Offset,
    head: Offset,
    trimmed: Offset,
    said: Option<Offset>,
) -> Start {
    let missing = (trimmed > at).then_some(Missing {
        from: Offset(at.0 + 1),
        to: trimmed,
    });
    // What it holds and has not handled is under way, but no more of it than could have been sent.
    let unhandled = (at.0 - handled.0).min(WINDOW_MESSAGES);
    Start {
        cursor: Cursor::new(epoch, at.max(trimmed), handled, unhandled, head),
        at: Some(at),
        gap: missing.map(|missing| (missing, GapReason::Retention)),
        handled: said,
    }
}

/// Another stream than the device knew: it begins with the oldest that there still is.
fn another(epoch: Epoch, missing: Missing, head: Offset) -> Start {
    Start {
        cursor: Cursor::new(epoch, missing.to, missing.to, 0, head),
        at: None,
        gap: Some((missing, GapReason::Epoch)),
        handled: None,
    }
}

#[cfg(test)]
mod tests;
