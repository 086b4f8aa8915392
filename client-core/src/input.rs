//! What may be told to the client: the app's wishes, the socket's news, the platform's signals, the time.

use crate::{Epoch, EpochTag, EventId, GapReason, ListenerId, PayloadRef, RequestId, StreamId};

/// One input of [`crate::Client::handle`].
///
/// Socket inputs carry the [`Epoch`] of the [`crate::Output::Open`] that they answer; news of an older
/// epoch is dropped without effect, whatever it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text speaks of its fields")]
pub enum Input<'a> {
    // --- the app ---
    /// Keep a line from now on. Idempotent: a second one starts no second loop.
    Start,
    /// Close the line and stay closed until the next `Start`. Every pending request is settled.
    Stop,
    /// Drop the present socket but keep the loop: the classic `_close`. The loop revives the line after
    /// its reconnect delay.
    Disconnect,
    /// Close for ever. Every later input but `Destroy` is [`ApiMisuse::Destroyed`].
    Destroy,
    /// Who the user is has changed. `present` = somebody is logged in to the app. Each `present: true`
    /// means a (possibly new) identity: a ready connection logs in again on the same socket;
    /// `present: false` ends the session, dials no more, and cancels what is queued: nothing that one user
    /// queued is sent as another.
    Identity { present: bool },
    /// Ask the server something. The id comes from [`crate::Client::next_request_id`].
    Request {
        id: RequestId,
        options: RequestOptions,
    },
    /// Give a pending request up. Settles it as `Cancelled`; unknown or settled ids are ignored.
    Cancel { id: RequestId },
    /// Register a listener. `pattern` is an exact event name, a prefix ending in `*`, or `*` for all.
    /// The id comes from [`crate::Client::next_listener_id`].
    Listen {
        listener: ListenerId,
        pattern: &'a str,
        mode: ListenMode,
    },
    /// Remove a listener. Unknown ids are ignored.
    Unlisten { listener: ListenerId },
    /// Remove every listener whose pattern is exactly this text (the classic `uninstall`).
    UnlistenPattern { pattern: &'a str },

    // --- durable streams ---
    /// What the driver's storage remembers of a stream: everything up to `handled` was handled. Fed before the first login;
    /// ignored once more is known of the stream.
    Position {
        stream: StreamId,
        tag: EpochTag,
        handled: u32,
    },
    /// The number is free for another stream: what is known of this one is forgotten. Refused while the stream is in use
    /// ([`ApiMisuse::StreamInUse`]): the present session speaks of it, or a message of it waits.
    Forget { stream: StreamId },
    /// What became of [`crate::Output::Persist`], which said these numbers: the storage has it (`ok`), or does not. Only what is
    /// stored is acknowledged. A failure is tried again after a second, then after twice as long each time, up to a minute;
    /// messages go on being handed over meanwhile, as many as the server sends unacknowledged. Stale answers are ignored.
    Stored {
        stream: StreamId,
        tag: EpochTag,
        handled: u32,
        ok: bool,
    },
    /// What the app made of [`crate::Output::Turn`]: its callbacks have all returned (`ok`), or one of them failed. Stale turns
    /// are ignored.
    Handled {
        stream: StreamId,
        turn: u32,
        ok: bool,
    },

    /// The app will never do well with what has this turn: it counts as failed for the last time. Not in wasm, whose driver never says
    /// so: it would only be downloaded.
    #[cfg(not(target_arch = "wasm32"))]
    GiveUp { stream: StreamId, turn: u32 },

    // --- the credentials provider, answering `Output::Credentials` ---
    /// `ready`: the driver holds credentials to send with `Outgoing::Login`; else the login attempt
    /// failed before it was sent and is tried again with backoff. Stale ids are ignored.
    Credentials { id: RequestId, ready: bool },

    // --- the socket, answering `Output::Open` ---
    /// The socket is open.
    Opened { epoch: Epoch },
    /// One decoded frame arrived.
    Frame { epoch: Epoch, frame: Incoming<'a> },
    /// A send was not accepted, or failed later. `outcome` says what is known of its fate.
    SendFailed {
        epoch: Epoch,
        id: RequestId,
        outcome: SendOutcome,
    },
    /// The socket reported an error. Treated as the end of the socket: a close may never follow.
    Failed { epoch: Epoch },
    /// The socket closed. `code` is the close code if one is known; `retry_after_ms` the server's advice.
    Closed {
        epoch: Epoch,
        code: Option<u16>,
        retry_after_ms: Option<u32>,
    },

    // --- the platform ---
    /// The network came or went. An open line is probed, not believed dead: platforms report late and wrongly.
    /// Without a line, nothing is dialled until it came back; tell the present state at the start if it is known.
    Network { online: bool },
    /// The app was shown (`visible`) or hidden. While it is hidden, a line that dies is not replaced; a driver
    /// whose hidden app should stay connected (a browser's background tab) does not tell.
    Visibility { visible: bool },
    /// Time has passed; nothing else. Feed it when the timer of `poll_timeout` rings.
    Timeout,
}

/// A decoded frame, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant's text speaks of its fields")]
pub enum Incoming<'a> {
    /// `respon`: the reply to request `id`; `ok` when its `data.error` is 0.
    Reply {
        id: RequestId,
        ok: bool,
        body: PayloadRef,
    },
    /// A server ping. `token` is the driver's name for the uuid to echo; it comes back in `Outgoing::Pong`.
    Ping { token: PayloadRef },
    /// A push whose event name was interned with [`crate::Client::intern`].
    Push { event: EventId, body: PayloadRef },
    /// A push whose name is not interned.
    NamedPush { event: &'a str, body: PayloadRef },
    /// Where a stream stands: what follows continues from there.
    Attached {
        stream: StreamId,
        tag: EpochTag,
        offset: u32,
    },
    /// A stored push: it gets its own turn, see [`crate::Output::Turn`].
    Durable {
        stream: StreamId,
        offset: u32,
        body: PayloadRef,
    },
    /// What will never come of a stream, both ends included; it then stands at `to`.
    Gap {
        stream: StreamId,
        tag: EpochTag,
        from: u32,
        to: u32,
        reason: GapReason,
    },
    /// Anything else, even garbage: counts as a sign of life only.
    Other,
}

/// How a request is to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestOptions {
    /// Settle as `TimedOut` this many milliseconds after the call, sent or not. 0 means the configured
    /// default, counted from the sending: what waits in the outbox is then bound by the outbox's age only.
    pub timeout_ms: u32,
    /// What to do when the line is not ready for it.
    pub unsent: Unsent,
    /// Needs only an open socket, not a login (the classic `_send`).
    pub before_login: bool,
    /// Doing it twice is as good as doing it once: if the line is lost before the reply, it goes back to the outbox and is sent
    /// again with the same id, instead of settling as `SentUnknown`.
    pub idempotent: bool,
    /// Size of the encoded payload in bytes, for the outbox's bound.
    pub bytes: u32,
}

/// What becomes of a request that cannot be sent at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// Settle it as `NotSent`.
    Fail,
    /// Keep it in the outbox until the line is ready, within the outbox's bounds.
    Queue {
        /// Non-zero: only the latest queued request of this key is kept; the former is dropped as `Superseded`.
        key: u32,
    },
}

/// How a listener joins those already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenMode {
    /// One more.
    Add,
    /// The only one for this very pattern: the classic replace-on-`on`.
    Replace,
}

/// What is known of a send that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendOutcome {
    /// It certainly never left: the request settles as `NotSent`.
    NotSent,
    /// It may have left: the request settles as `SentUnknown`.
    Unknown,
}

/// The caller broke the rules of this API. The client is unchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiMisuse {
    /// The client was destroyed.
    Destroyed,
    /// A request id that is not the next one.
    RequestIdOutOfTurn,
    /// A listener id that is not the next one.
    ListenerIdOutOfTurn,
    /// An empty pattern, or one over [`crate::MAX_EVENT_NAME_BYTES`].
    BadPattern,
    /// The listener table is full (see [`crate::Config::max_listeners`]).
    TooManyListeners,
    /// An event id that was never interned here.
    UnknownEvent,
    /// A stream's number that is not below [`crate::MAX_STREAMS`].
    NoSuchStream,
    /// A stream that is in use cannot be forgotten.
    StreamInUse,
}

impl std::fmt::Display for ApiMisuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Destroyed => "the client was destroyed",
            Self::RequestIdOutOfTurn => "the request's id is not the next one",
            Self::ListenerIdOutOfTurn => "the listener's id is not the next one",
            Self::BadPattern => "the pattern is empty or too long",
            Self::TooManyListeners => "there are too many listeners",
            Self::UnknownEvent => "the event's number was never interned",
            Self::NoSuchStream => "the stream's number is too large",
            Self::StreamInUse => "the stream is in use",
        })
    }
}

impl std::error::Error for ApiMisuse {}
