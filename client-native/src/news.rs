//! What happened on the line, as one broadcast.

use heartline_client_core::{CloseReason, DropReason, Phase};
use serde_json::value::RawValue;
use std::sync::Arc;

use crate::{Gap, Push};

/// Something that happened. [`crate::Client::states`] tells only where the line stands now; this tells each step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum News {
    /// The phase is another one now.
    Phase(Phase),
    /// A login succeeded.
    LoggedIn {
        /// The reply's data.
        data: Arc<RawValue>,
        /// This client had been logged in before.
        again: bool,
    },
    /// The server refused the login. It is tried again with backoff.
    LoginRefused {
        /// The reply's data.
        data: Arc<RawValue>,
    },
    /// The line ended, or a dial failed.
    Disconnected {
        /// Why.
        reason: CloseReason,
        /// What the system, TLS, the handshake or the server said of it, escaped; `None` where nothing did. For people.
        detail: Option<Arc<str>>,
    },
    /// The position of a stream could not be stored. It is tried again, with a backoff of 1 s to a minute and with each message that is
    /// handled; until then nothing behind the stored one is acknowledged, and a restart repeats it. Messages go on coming, as
    /// many as the server sends unacknowledged (256).
    PositionNotStored {
        /// The stream.
        stream: Box<str>,
        /// Up to where it was handled.
        handled: u32,
        /// What the storage said.
        error: Arc<str>,
    },
    /// A device remembers 64 streams; the one that was unused for the longest time made room for another.
    PositionForgotten {
        /// The stream that was forgotten.
        stream: Box<str>,
    },
    /// A handler failed with a push. It gets it again, see [`crate::Client::consume`].
    HandlerFailed {
        /// The push; `None`: it was a gap.
        push: Option<Push>,
        /// What the handler said.
        error: Arc<str>,
    },
    /// Messages of a stream will never come. See also [`crate::Client::consume_gaps`], which a restart does not make forget.
    Gap(Gap),
    /// The app failed five times with a stored push; the stream goes on behind it.
    Poisoned {
        /// The stream.
        stream: Box<str>,
        /// Where it stood.
        offset: u32,
        /// The push; `None`: it was a gap.
        push: Option<Push>,
    },
    /// A queued request was dropped from the outbox.
    OutboxDropped {
        /// Why.
        reason: DropReason,
    },
}
