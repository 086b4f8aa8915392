//! What the client decides: orders to the driver, and news for the app, in one ordered queue.

use std::fmt;

use crate::{Epoch, EpochTag, GapReason, ListenerId, PayloadRef, Phase, RequestId, StreamId};

/// One decision. The driver carries them out in the order in which they come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text speaks of its fields")]
pub enum Output {
    /// Dial, and speak of this attempt as `epoch`. Any earlier socket has been ordered closed before.
    Open { epoch: Epoch },
    /// Close the socket of `epoch` (also one that is still dialling, or that reported an error). No answer is
    /// awaited.
    Close { epoch: Epoch, code: u16 },
    /// Ask the credentials provider; answer with `Input::Credentials { id, .. }`.
    Credentials { epoch: Epoch, id: RequestId },
    /// Hand a frame to the socket of `epoch`.
    Send { epoch: Epoch, message: Outgoing },
    /// The fate of a request. Exactly once per `Input::Request`.
    Settle {
        id: RequestId,
        result: Result<PayloadRef, RequestError>,
    },
    /// Call this listener with this push. Listeners come in the order of their registration.
    Deliver {
        listener: ListenerId,
        body: PayloadRef,
    },
    /// Forget what is kept under this reference: nothing (more) will be done with it.
    Release { body: PayloadRef },
    /// It is this message's turn: call those who hear it ([`crate::Client::hearers`]), wait until all of them are done, and answer with
    /// `Input::Handled`. No other message of the stream has its turn meanwhile. Without a body: the same for the
    /// [`ClientEvent::Gap`] that was told right before.
    Turn {
        stream: StreamId,
        turn: u32,
        body: Option<PayloadRef>,
    },
    /// Remember durably that everything of the stream up to `handled` was handled; answer with `Input::Stored`, also later. What
    /// is not stored is not acknowledged.
    Persist {
        stream: StreamId,
        tag: EpochTag,
        handled: u32,
    },
    /// Where a stream stands: to be said with the `Outgoing::Login` that follows.
    Stand {
        stream: StreamId,
        position: Position,
    },
    /// News for the app.
    Event(ClientEvent),
}

/// Where a client stands on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch in which the offsets count.
    pub tag: EpochTag,
    /// It holds everything up to here.
    pub received: u32,
    /// Everything up to here was handled, and is stored; 0 where nothing of this epoch is.
    pub handled: u32,
}

/// A frame to be sent, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text speaks of its fields")]
pub enum Outgoing {
    /// `login`, with the credentials that the provider gave for this id.
    Login { id: RequestId },
    /// `ping`.
    Ping { id: RequestId },
    /// `response`, echoing the uuid kept under `token`.
    Pong { token: PayloadRef },
    /// The app's request. An idempotent one may be sent again, on a later line.
    Request { id: RequestId },
    /// Everything of the stream up to there was handled. Never answered.
    Ack { stream: StreamId, offset: u32 },
    /// The app is hidden. Never answered.
    Park,
    /// The app is seen again. Never answered.
    Show,
}

/// News for the app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text speaks of its fields")]
pub enum ClientEvent {
    /// The phase is another one now.
    Phase(Phase),
    /// A login succeeded; `body` is the reply's data. `again` when this client had been logged in before.
    LoggedIn { body: PayloadRef, again: bool },
    /// The server refused the login; it is tried again with backoff.
    LoginRefused { body: PayloadRef },
    /// The line ended (or a dial failed).
    Disconnected { reason: CloseReason },
    /// Messages of a stream will never come, both ends included. Answered like a message: see [`Output::Turn`], which follows.
    Gap {
        stream: StreamId,
        tag: EpochTag,
        from: u32,
        to: u32,
        reason: GapReason,
    },
    /// The app failed too often with what stands at this offset; the stream goes on behind it. `body` is the message, to be
    /// released right after; none: it was a gap.
    Poisoned {
        stream: StreamId,
        offset: u32,
        body: Option<PayloadRef>,
    },
    /// A queued request was dropped from the outbox (its `Settle` follows).
    OutboxDropped { id: RequestId, reason: DropReason },
}

/// Why a connection is no more.
///
/// In a word of its own: packed into spare values of the code, as the compiler would, telling the reasons apart took 300
/// bytes more of wasm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
#[expect(missing_docs, reason = "each variant's text speaks of its fields")]
pub enum CloseReason {
    /// The app asked for it.
    Asked,
    /// The user logged out of the app.
    LoggedOut,
    /// The dial failed or was refused.
    DialFailed,
    /// The dial took longer than `Config::dial_timeout_ms`.
    DialTimedOut,
    /// The peer or the platform closed it, with this code if one was given.
    Remote { code: Option<u16> },
    /// No sign of life within interval + grace.
    Dead,
    /// The platform reported an error.
    Error,
    /// The platform said that the network is gone.
    Offline,
}

/// Why one request has no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text speaks of its fields")]
pub enum RequestError {
    /// It never left; asking again is safe.
    NotSent(NotSent),
    /// It was handed to the socket and the line was lost: its fate is unknown.
    SentUnknown,
    /// The server answered with an error; `body` is the reply's data.
    Refused { body: PayloadRef },
    /// No reply in time. `sent` tells whether it was handed to a socket.
    TimedOut { sent: bool },
    /// The app cancelled it, or closed the client. `sent` as above.
    Cancelled { sent: bool },
}

/// Why a request was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotSent {
    /// The line is not ready, and the request was not to be queued.
    NotReady,
    /// The pool or the outbox is full.
    Full,
    /// The outbox dropped it.
    Dropped(DropReason),
    /// The socket refused it.
    Socket,
}

/// Why the outbox dropped a queued request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// Too many entries or bytes: the oldest goes.
    Full,
    /// Older than `Config::outbox_max_age_ms`.
    Expired,
    /// A later request of the same key took its place.
    Superseded,
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asked => "the app closed the line",
            Self::LoggedOut => "the user logged out",
            Self::DialFailed => "the dial failed",
            Self::DialTimedOut => "the dial took too long",
            Self::Remote { code: Some(code) } => {
                return write!(f, "the server closed the line with code {code}");
            }
            Self::Remote { code: None } => "the server closed the line",
            Self::Dead => "the line was dead",
            Self::Error => "the line failed",
            Self::Offline => "the network is gone",
        })
    }
}

impl std::error::Error for CloseReason {}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotReady => {
                "the client is not logged in: wait until it is ready, or let the request be queued"
            }
            Self::Full => "too much waits already",
            Self::Dropped(DropReason::Full) => "later requests took its place in the full outbox",
            Self::Dropped(DropReason::Expired) => "it waited too long in the outbox",
            Self::Dropped(DropReason::Superseded) => "a later one of the same key took its place",
            Self::Socket => "the socket did not take it",
        })
    }
}

impl std::error::Error for NotSent {}
