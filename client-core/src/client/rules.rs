//! What a driver may not do: refused before anything has changed.

use super::Client;
use crate::{ApiMisuse, Incoming, Input, streams::MAX_STREAMS};

impl Client {
    /// Refuses what breaks a rule before anything has changed.
    pub(super) fn check(&self, input: Input<'_>) -> Result<(), ApiMisuse> {
        match input {
            Input::Request { id, .. } if id != self.next_request_id() => {
                Err(ApiMisuse::RequestIdOutOfTurn)
            }
            Input::Frame {
                frame: Incoming::Push { event, .. },
                ..
            } if self.router.name(event).is_none() => Err(ApiMisuse::UnknownEvent),
            Input::Listen {
                listener,
                pattern,
                mode,
            } => self
                .router
                .check(listener, pattern, mode, self.config.max_listeners),
            Input::Position { stream, .. }
            | Input::Stored { stream, .. }
            | Input::Forget { stream }
            | Input::Handled { stream, .. }
            | Input::Frame {
                frame:
                    Incoming::Attached { stream, .. }
                    | Incoming::Durable { stream, .. }
                    | Incoming::Gap { stream, .. },
                ..
            } if stream.0 >= MAX_STREAMS => Err(ApiMisuse::NoSuchStream),
            #[cfg(not(target_arch = "wasm32"))]
            Input::GiveUp { stream, .. } if stream.0 >= MAX_STREAMS => Err(ApiMisuse::NoSuchStream),
            Input::Forget { stream } => match self.streams.get(stream.0 as usize) {
                Some(known) if known.is_in_use() => Err(ApiMisuse::StreamInUse),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }
}
