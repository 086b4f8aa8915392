//! The one truth about where the line stands. The classic flags are questions about it, so that they
//! cannot contradict one another.

use crate::{CloseReason, Millis};

/// Where the line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text speaks of its fields")]
pub enum Phase {
    /// Not started, or started with nobody logged in to the app.
    Idle,
    /// A socket is being dialled.
    Connecting,
    /// The socket is open; no login is in flight (nobody to log in as, or refused and waiting).
    Open,
    /// The socket is open and a login is in flight.
    LoggingIn,
    /// Open and logged in.
    Ready,
    /// No socket; the next attempt, number `attempt` (from 1), is due at `until`, or on a signal if `None`.
    Waiting {
        attempt: u32,
        until: Option<Millis>,
        reason: WaitReason,
    },
    /// The app is hidden and the socket died: nothing is tried until it is shown.
    Parked,
    /// Closed by the app, or for ever by a terminal close code.
    Closed { reason: CloseReason },
}

/// What a waiting client waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitReason {
    /// Its own backoff.
    Backoff,
    /// The delay that the server advised.
    Advised,
    /// The network.
    Network,
}

impl Phase {
    /// The classic `IsConnected`: a socket is being dialled or is open.
    pub fn is_connected(self) -> bool {
        matches!(
            self,
            Self::Connecting | Self::Open | Self::LoggingIn | Self::Ready
        )
    }

    /// The classic `IsOpen`: the socket is open.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::LoggingIn | Self::Ready)
    }

    /// The classic `IsLogin`: logged in on the open socket.
    pub fn is_login(self) -> bool {
        matches!(self, Self::Ready)
    }
}
