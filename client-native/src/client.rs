//! The handle.

use std::fmt;
use std::sync::Arc;

use heartline_client_core::{ApiMisuse, CloseReason, Input, ListenMode, ListenerId, Phase};
use heartline_trace::Trace;
use serde::Serialize;
use tokio::sync::{broadcast, watch};

use crate::Builder;
use crate::consume::{self, Consumer, Gap, Handler, HandlerError};
use crate::credentials::{self, Credentials, CredentialsProvider};
use crate::driver::Shared;
use crate::news::News;
use crate::pushes::{Buffer, Push, Pushes};
use crate::request::Request;

/// A client: one line to one server, as one user. Cheap to clone; all clones are the same client.
///
/// When the last clone is dropped, the line is closed; pending requests settle as `Cancelled`.
#[derive(Clone)]
pub struct Client(Arc<Handle>);

/// Closes the client when the last clone goes. The tasks hold [`Shared`], never this.
struct Handle {
    shared: Arc<Shared>,
    push_buffer: usize,
}

impl Client {
    /// A client of the server at `url` (`ws://…` or `wss://…`).
    pub fn builder(url: &str) -> Builder {
        Builder::new(url)
    }

    pub(crate) fn new(shared: Arc<Shared>, push_buffer: usize) -> Self {
        Self(Arc::new(Handle {
            shared,
            push_buffer,
        }))
    }

    /// Keeps a line from now on. Idempotent; also ends a [`Client::stop`].
    pub fn start(&self) {
        self.tell(Input::Start);
    }

    /// Closes the line and stays closed until [`Client::start`]. Pending requests settle as `Cancelled`.
    pub fn stop(&self) {
        self.tell(Input::Stop);
    }

    /// Drops the present socket; the client comes back after its reconnect delay.
    pub fn disconnect(&self) {
        self.tell(Input::Disconnect);
    }

    /// Closes for ever, politely, and waits until every task of this client has ended: at most about two seconds.
    pub async fn close(&self) {
        self.0.shared.destroy();
        self.0.shared.tasks.wait().await;
    }

    /// Asks the server something. Await it, or give it options first; see [`Request`].
    pub fn request<'c, T: Serialize + ?Sized>(&'c self, event: &'c str, data: &T) -> Request<'c> {
        Request::new(&self.0.shared, event, data)
    }

    /// Subscribes to pushes: an exact event, a prefix ending in `*`, or `*` for all.
    ///
    /// # Errors
    /// [`ListenError`] for an empty or overlong pattern, too many listeners, or a closed client.
    pub fn on(&self, pattern: &str) -> Result<Pushes, ListenError> {
        let buffer = Arc::new(Buffer::new(self.0.push_buffer));
        let listener = self.0.shared.with(|state| {
            let listener = state.core.next_listener_id();
            state.handle(Input::Listen {
                listener,
                pattern,
                mode: ListenMode::Add,
            })?;
            state.listeners.insert(listener, Arc::clone(&buffer));
            Ok::<_, ListenError>(listener)
        })?;
        Ok(Pushes::new(
            buffer,
            listener,
            Arc::downgrade(&self.0.shared),
        ))
    }

    /// Calls `handler` with each push of this pattern, one at a time, in order.
    ///
    /// With [`Builder::durable`], a stored push counts as handled when the handler's future has ended well, and not before: the
    /// device's position moves then, and outlives the process. A handler that fails, or panics, gets it again after 500 ms, 1 s,
    /// 2 s and 4 s, and its stream waits meanwhile; each failure is [`News::HandlerFailed`] and a line of the log. After the fifth
    /// [`News::Poisoned`] tells of it and the stream goes on: at once where the error is a [`crate::GiveUp`] or a
    /// [`serde_json::Error`], such as `push.parse_msg()?` ends with. The streams of one device wait
    /// for their handlers, so one that never ends holds its stream up for ever. Where several hear the same push, all of them get it
    /// again when one fails.
    ///
    /// Pushes that are not stored are dropped where more than [`Builder::push_buffer`] of them wait, as everywhere.
    ///
    /// # Errors
    /// As for [`Client::on`].
    pub fn consume<F, Fut>(&self, pattern: &str, mut handler: F) -> Result<Consumer, ListenError>
    where
        F: FnMut(Push) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        let handler: Handler = Box::new(move |news| match news {
            consume::News::Push(push) => Box::pin(handler(push)),
            consume::News::Gap(_) => Box::pin(std::future::ready(Ok(()))),
        });
        let mut line = self.spawn_consumer(handler);
        let (listener, number) = self.0.shared.with(|state| {
            let listener = state.core.next_listener_id();
            let mode = ListenMode::Add;
            state.handle(Input::Listen {
                listener,
                pattern,
                mode,
            })?;
            line.listener = Some(listener);
            Ok::<_, ListenError>((listener, state.add_consumer(line)))
        })?;
        Ok(self.consumer(Some(listener), number))
    }

    /// Calls `handler` with each gap: messages of a stream that will never come. It stands in the stream like a message: its position
    /// moves when the handler has ended well, so a gap is heard of although the process was killed.
    pub fn consume_gaps<F, Fut>(&self, mut handler: F) -> Consumer
    where
        F: FnMut(Gap) -> Fut + Send + 'static,
        Fut: Future<Output = Result<(), HandlerError>> + Send + 'static,
    {
        let handler: Handler = Box::new(move |news| match news {
            consume::News::Gap(gap) => Box::pin(handler(gap)),
            consume::News::Push(_) => Box::pin(std::future::ready(Ok(()))),
        });
        let line = self.spawn_consumer(handler);
        let number = self.0.shared.with(|state| state.add_consumer(line));
        self.consumer(None, number)
    }

    fn spawn_consumer(&self, handler: Handler) -> consume::Line {
        consume::Line::spawn(&self.0.shared, self.0.push_buffer, handler)
    }

    fn consumer(&self, listener: Option<ListenerId>, number: u64) -> Consumer {
        Consumer {
            listener,
            number,
            client: Arc::downgrade(&self.0.shared),
        }
    }

    /// Where the line stands, and each change of it (a fast sequence may be seen as its last step only).
    pub fn states(&self) -> watch::Receiver<Phase> {
        self.0.shared.with(|state| state.phases())
    }

    /// Where the line stands now.
    pub fn phase(&self) -> Phase {
        self.0.shared.with(|state| state.core.phase())
    }

    /// Everything that happens on the line from now on, step by step. A reader that lags more than 64 behind is told so.
    pub fn news(&self) -> broadcast::Receiver<News> {
        self.0.shared.with(|state| state.news())
    }

    /// Waits until the client is logged in.
    ///
    /// # Errors
    /// The [`CloseReason`], when the client is closed: by the app, or for ever by the server.
    pub async fn ready(&self) -> Result<(), CloseReason> {
        let mut states = self.states();
        loop {
            match *states.borrow_and_update() {
                Phase::Ready => return Ok(()),
                Phase::Closed { reason } => return Err(reason),
                _ => {}
            }
            // The sender lives as long as this handle.
            if states.changed().await.is_err() {
                return Err(CloseReason::Asked);
            }
        }
    }

    /// Who the user is, from now on: a ready line logs in again on the same socket. `None`: logged out; the line is
    /// closed and nothing is dialled.
    pub fn set_identity(&self, credentials: Option<Credentials>) {
        self.set_provider(credentials.map(credentials::fixed));
    }

    /// The same, with a provider that is asked before each login.
    pub fn set_provider(&self, provider: Option<CredentialsProvider>) {
        self.0.shared.with(|state| {
            let present = provider.is_some();
            state.provider = provider;
            // A closed client has no use for an identity.
            let _ = state.handle(Input::Identity { present });
        });
    }

    /// Tells that the network came or went, if the host knows.
    pub fn set_network(&self, online: bool) {
        self.tell(Input::Network { online });
    }

    /// Tells that the app was hidden or seen again, if the host knows such a thing. While it is hidden, a line that is lost is not
    /// replaced, and a server with durable streams is told.
    pub fn set_visible(&self, visible: bool) {
        self.tell(Input::Visibility { visible });
    }

    /// What was recorded so far, if [`Builder::record`] asked for it: for `heartline-server replay`, as JSON by [`Trace::to_json`].
    pub fn trace(&self) -> Option<Trace> {
        self.0.shared.with(|state| state.trace())
    }

    /// How many tasks of this client are alive: two while connected, none soon after [`Client::close`].
    pub fn tasks(&self) -> usize {
        self.0.shared.tasks.len()
    }

    /// A closed client refuses every input, and needs none.
    fn tell(&self, input: Input<'_>) {
        self.0.shared.with(|state| {
            let _ = state.handle(input);
            debug_assert_eq!(state.payloads(), 0, "a payload was left unanswered");
        });
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.destroy();
    }
}

/// Why a subscription was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListenError {
    /// The pattern is empty or too long.
    #[error("the pattern is empty or too long")]
    BadPattern,
    /// There are `Config::max_listeners` already.
    #[error("too many listeners")]
    TooMany,
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

impl From<ApiMisuse> for ListenError {
    fn from(misuse: ApiMisuse) -> Self {
        match misuse {
            ApiMisuse::BadPattern => Self::BadPattern,
            ApiMisuse::TooManyListeners => Self::TooMany,
            // The other rules are the driver's to keep; a closed client is the one refusal left.
            _ => Self::Closed,
        }
    }
}
