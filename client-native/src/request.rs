//! Requests: the question, its options, and its one fate.

use std::fmt;
use std::future::IntoFuture;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use heartline_client_core::{Input, NotSent, RequestId, RequestOptions, Unsent};
use heartline_protocol::encode_request;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::oneshot;

use crate::driver::{Pending, Shared};
use crate::payloads::field;

/// A request that is not sent yet: `client.request("buy", &order).timeout(…).await`.
#[must_use = "a request is sent when it is awaited, or with `send`"]
pub struct Request<'c> {
    shared: &'c Arc<Shared>,
    event: &'c str,
    data: Result<Box<RawValue>, serde_json::Error>,
    options: RequestOptions,
}

impl<'c> Request<'c> {
    pub(crate) fn new<T: Serialize + ?Sized>(
        shared: &'c Arc<Shared>,
        event: &'c str,
        data: &T,
    ) -> Self {
        let options = RequestOptions {
            timeout_ms: 0,
            unsent: Unsent::Fail,
            before_login: false,
            idempotent: false,
            bytes: 0,
        };
        Self {
            shared,
            event,
            data: to_raw_value(data),
            options,
        }
    }

    /// Give up after this long, counted from now, sent or not. Without it, `Config::request_timeout_ms` after sending.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        // Zero means the default to the core; the shortest timeout is one millisecond.
        self.options.timeout_ms = u32::try_from(timeout.as_millis())
            .unwrap_or(u32::MAX)
            .max(1);
        self
    }

    /// Keep it in the outbox while the line is not ready, within the outbox's bounds.
    pub fn queue(mut self) -> Self {
        self.options.unsent = Unsent::Queue { key: 0 };
        self
    }

    /// The same, and only the latest queued request of this key is kept: a badge, a position.
    pub fn queue_latest(mut self, key: NonZeroU32) -> Self {
        self.options.unsent = Unsent::Queue { key: key.get() };
        self
    }

    /// Doing it twice is as good as doing it once: if the line is lost before the reply comes, it is sent again with the same id,
    /// and a server that knows of this answers from its memory. Its time goes on meanwhile: see [`Request::timeout`].
    pub fn idempotent(mut self) -> Self {
        self.options.idempotent = true;
        self
    }

    /// Needs an open socket only, not a login.
    pub fn before_login(mut self) -> Self {
        self.options.before_login = true;
        self
    }

    /// Sends it now. The reply may be awaited later; dropping the [`PendingReply`] cancels.
    pub fn send(self) -> PendingReply {
        let data = match self.data {
            Ok(data) => data,
            Err(error) => return PendingReply::settled(RequestError::Encode(error)),
        };
        let (fate, outcome) = oneshot::channel();
        let sent = self.shared.with(|state| {
            let id = state.core.next_request_id();
            // A unit is no data at all.
            let data = (data.get() != "null").then_some(&*data);
            let wire = encode_request(self.event, data, &state.prefix.uuid(id));
            let bytes = u32::try_from(wire.len()).unwrap_or(u32::MAX);
            let is_idempotent = self.options.idempotent;
            let pending = Pending {
                wire,
                is_idempotent,
                fate,
            };
            state.requests.insert(id, pending);
            let input = Input::Request {
                id,
                options: RequestOptions {
                    bytes,
                    ..self.options
                },
            };
            if state.handle(input).is_err() {
                state.requests.remove(&id);
                return None;
            }
            Some(id)
        });
        match sent {
            Some(id) => PendingReply {
                client: Arc::downgrade(self.shared),
                waiting: Some((id, outcome)),
                early: None,
            },
            // The one refusal left is that the client is closed.
            None => PendingReply::settled(RequestError::Cancelled { sent: false }),
        }
    }
}

impl IntoFuture for Request<'_> {
    type Output = Result<Reply, RequestError>;
    type IntoFuture = PendingReply;

    fn into_future(self) -> PendingReply {
        self.send()
    }
}

/// The reply to come. Settles exactly once; dropped before that, the request is cancelled.
#[must_use = "dropping it cancels the request"]
pub struct PendingReply {
    client: Weak<Shared>,
    waiting: Option<(RequestId, oneshot::Receiver<Result<Reply, RequestError>>)>,
    early: Option<RequestError>,
}

impl PendingReply {
    fn settled(error: RequestError) -> Self {
        Self {
            client: Weak::new(),
            waiting: None,
            early: Some(error),
        }
    }
}

impl Future for PendingReply {
    type Output = Result<Reply, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(error) = self.early.take() {
            return Poll::Ready(Err(error));
        }
        let (_, outcome) = self
            .waiting
            .as_mut()
            .expect("a settled reply is not polled again");
        let Poll::Ready(outcome) = Pin::new(outcome).poll(cx) else {
            return Poll::Pending;
        };
        self.waiting = None;
        // The driver settles every request before it lets go of it.
        Poll::Ready(outcome.unwrap_or(Err(RequestError::Cancelled { sent: false })))
    }
}

impl Drop for PendingReply {
    fn drop(&mut self) {
        if let (Some((id, _)), Some(client)) = (&self.waiting, self.client.upgrade()) {
            client.with(|state| {
                let _ = state.handle(Input::Cancel { id: *id });
            });
        }
    }
}

impl fmt::Debug for PendingReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PendingReply").finish_non_exhaustive()
    }
}

/// The server's data: `{"error":0,"body":…}`, every number in its own spelling.
#[derive(Clone, Debug)]
pub struct Reply(Box<RawValue>);

impl Reply {
    pub(crate) fn new(data: Box<RawValue>) -> Self {
        Self(data)
    }

    /// The whole data.
    pub fn data(&self) -> &RawValue {
        &self.0
    }

    /// The whole data, owned.
    pub fn into_data(self) -> Box<RawValue> {
        self.0
    }

    /// The `body` field.
    pub fn body(&self) -> Option<&RawValue> {
        field(&self.0, "body")
    }

    /// The `body` field as a value of yours.
    ///
    /// # Errors
    /// When it has another shape; a missing body counts as `null`.
    pub fn parse_body<'a, T: Deserialize<'a>>(&'a self) -> serde_json::Result<T> {
        serde_json::from_str(self.body().unwrap_or(RawValue::NULL).get())
    }
}

/// Why a request has no good reply.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It never left; asking again is safe.
    #[error("the request was not sent: {0}")]
    NotSent(NotSent),
    /// It was handed to the socket and the line was lost: its fate is unknown.
    #[error("the line was lost after the request was sent; its fate is unknown")]
    SentUnknown,
    /// The server answered with an error.
    #[error("the server refused (error {code}): {}", body.get())]
    Refused {
        /// The reply's `error`; -1 when it is no integer.
        code: i64,
        /// The reply's `body`; `null` when there is none.
        body: Box<RawValue>,
    },
    /// No reply in time.
    #[error("no reply in time (sent: {sent})")]
    TimedOut {
        /// It had been handed to a socket.
        sent: bool,
    },
    /// The client was closed or stopped.
    #[error("the request was cancelled (sent: {sent})")]
    Cancelled {
        /// It had been handed to a socket.
        sent: bool,
    },
    /// The data cannot be written as JSON: the caller's mistake. Nothing was sent.
    #[error("the data cannot be written as JSON: {0}")]
    Encode(serde_json::Error),
}

impl RequestError {
    pub(crate) fn refused(data: &RawValue) -> Self {
        let code = field(data, "error")
            .and_then(|error| error.get().parse().ok())
            .unwrap_or(-1);
        Self::Refused {
            code,
            body: field(data, "body").unwrap_or(RawValue::NULL).to_owned(),
        }
    }
}
