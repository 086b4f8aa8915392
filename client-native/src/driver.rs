//! The driver's heart: the core behind a lock, what belongs to its numbers, and the carrying out of its decisions.
//!
//! Whoever has news (a handle, a socket's task, the timer) locks, feeds the core and carries out what it decided, at
//! once and in order. Nothing waits under the lock: sockets, credentials and the app are reached through queues.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use heartline_client_core::{
    self as core, ApiMisuse, ClientEvent, Config, Epoch, Incoming, Input, ListenerId, Millis,
    Outgoing, Output, Phase, RequestId, SendOutcome,
};
use heartline_protocol::{
    ServerFrame, decode_server, encode_login_data, encode_request, encode_response,
};
use serde_json::value::RawValue;
use tokio::sync::{Notify, broadcast, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::credentials::{Credentials, CredentialsProvider};
use crate::dial::Endpoint;
use crate::news::News;
use crate::payloads::{Payload, Payloads};
use crate::pushes::{Buffer, Push};
use crate::request::{Reply, RequestError};
use crate::socket::{self, Line};
use crate::wire_id::Prefix;

/// How many news a slow reader of [`crate::Client::news`] may lag behind.
const NEWS_BOUND: usize = 64;

/// What the handles and the tasks of one client share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// The next deadline has moved to an earlier time, or there is none any more.
    rearm: Notify,
    /// Every task of this client.
    pub(crate) tasks: TaskTracker,
    /// Ends when the client does.
    pub(crate) closed: CancellationToken,
    pub(crate) endpoint: Endpoint,
    origin: Instant,
}

/// The core, and what its numbers mean.
pub(crate) struct State {
    pub(crate) core: core::Client,
    payloads: Payloads,
    /// Bounded by `Config::max_requests`.
    pub(crate) requests: HashMap<RequestId, Pending>,
    /// Bounded by `Config::max_listeners`.
    pub(crate) listeners: HashMap<ListenerId, Arc<Buffer>>,
    pub(crate) provider: Option<CredentialsProvider>,
    /// The login whose credentials were asked for last, and what the provider said.
    login: Option<(RequestId, Option<Credentials>)>,
    line: Option<Line>,
    /// Sends that failed while decisions were being carried out: fed back afterwards.
    failed: VecDeque<(Epoch, RequestId)>,
    phases: watch::Sender<Phase>,
    news: Option<broadcast::Sender<News>>,
    pub(crate) prefix: Prefix,
    /// The deadline that the timer's task sleeps for.
    armed: Option<Millis>,
    origin: Instant,
    provider_timeout: Duration,
    runtime: tokio::runtime::Handle,
    me: Weak<Shared>,
}

/// A request that is not settled yet.
pub(crate) struct Pending {
    /// The encoded frame, until it is sent.
    pub(crate) wire: String,
    pub(crate) fate: oneshot::Sender<Result<Reply, RequestError>>,
}

impl Shared {
    pub(crate) fn new(
        endpoint: Endpoint,
        config: Config,
        provider: Option<CredentialsProvider>,
        (prefix, seed): (Prefix, u64),
        runtime: tokio::runtime::Handle,
    ) -> Arc<Self> {
        let origin = Instant::now();
        let provider_timeout = Duration::from_millis(config.login_timeout_ms.into());
        let core = core::Client::new(config, seed, Millis(0));
        let shared = Arc::new_cyclic(|me| Self {
            state: Mutex::new(State {
                phases: watch::Sender::new(core.phase()),
                core,
                payloads: Payloads::default(),
                requests: HashMap::new(),
                listeners: HashMap::new(),
                provider,
                login: None,
                line: None,
                failed: VecDeque::new(),
                news: None,
                prefix,
                armed: None,
                origin,
                provider_timeout,
                runtime: runtime.clone(),
                me: me.clone(),
            }),
            rearm: Notify::new(),
            tasks: TaskTracker::new(),
            closed: CancellationToken::new(),
            endpoint,
            origin,
        });
        shared
            .tasks
            .spawn_on(keep_time(Arc::clone(&shared)), &runtime);
        shared
    }

    /// Does something under the lock, then sees to the timer. The closure must not block.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        // A panic under the lock is a bug of ours; the core is left as it was after its last whole input.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let result = act(&mut state);
        let next = state.core.poll_timeout();
        // A later deadline needs no waking: the timer rings early once, and arms itself anew.
        if let Some(next) = next
            && state.armed.is_none_or(|armed| next < armed)
        {
            state.armed = Some(next);
            self.rearm.notify_one();
        }
        result
    }

    /// One message of the socket of `epoch`.
    pub(crate) fn message(&self, epoch: Epoch, bytes: &[u8]) {
        match decode_server(bytes) {
            Ok(ServerFrame::Respon { event, ok, data }) => {
                let data = data.to_owned();
                self.with(|state| match state.prefix.parse(event.get()) {
                    Some(id) => {
                        let body = state.payloads.insert(Payload::Raw(data));
                        state.frame(epoch, Incoming::Reply { id, ok, body });
                    }
                    None => state.frame(epoch, Incoming::Other),
                });
            }
            Ok(ServerFrame::Ping { uuid }) => {
                let uuid = uuid.to_owned();
                self.with(|state| {
                    let token = state.payloads.insert(Payload::Raw(uuid));
                    state.frame(epoch, Incoming::Ping { token });
                });
            }
            Ok(ServerFrame::Push { event, whole }) => {
                let push = Push::new(&event, whole);
                self.with(|state| {
                    let body = state.payloads.insert(Payload::Push(push));
                    match state.core.intern(&event) {
                        Some(event) => state.frame(epoch, Incoming::Push { event, body }),
                        None => state.frame(
                            epoch,
                            Incoming::NamedPush {
                                event: &event,
                                body,
                            },
                        ),
                    }
                });
            }
            Ok(ServerFrame::Other) | Err(_) => self.sign_of_life(epoch),
        }
    }

    /// Something arrived that is no message.
    pub(crate) fn sign_of_life(&self, epoch: Epoch) {
        self.with(|state| state.frame(epoch, Incoming::Other));
    }

    /// The socket's task reports.
    pub(crate) fn report(&self, input: Input<'_>) {
        self.with(|state| {
            if let Input::Closed { epoch, .. } | Input::Failed { epoch } = input
                && state.line.as_ref().is_some_and(|line| line.epoch == epoch)
            {
                state.line = None;
            }
            // Only a closed client refuses news, and it needs none.
            let _ = state.handle(input);
        });
    }

    /// Closes for ever. The tasks end by themselves, soon; [`Shared::tasks`] tells when.
    pub(crate) fn destroy(&self) {
        self.with(|state| {
            let _ = state.handle(Input::Destroy);
            state
                .listeners
                .drain()
                .for_each(|(_, buffer)| buffer.close());
            state.provider = None;
            state.login = None;
            state.line = None;
        });
        self.tasks.close();
        self.closed.cancel();
    }
}

impl State {
    /// Feeds one input and carries out what follows from it.
    pub(crate) fn handle(&mut self, input: Input<'_>) -> Result<(), ApiMisuse> {
        self.core.handle(self.now(), input)?;
        loop {
            while let Some(output) = self.core.poll_output() {
                self.carry_out(output);
            }
            // Ends: each failure settles a request or ends the line, and a line that ended sends no more.
            let Some((epoch, id)) = self.failed.pop_front() else {
                return Ok(());
            };
            let outcome = SendOutcome::NotSent;
            self.core
                .handle(self.now(), Input::SendFailed { epoch, id, outcome })?;
        }
    }

    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.phases.subscribe()
    }

    pub(crate) fn news(&mut self) -> broadcast::Receiver<News> {
        self.news
            .get_or_insert_with(|| broadcast::Sender::new(NEWS_BOUND))
            .subscribe()
    }

    /// Payloads that are kept now: none, whenever the lock is free.
    pub(crate) fn payloads(&self) -> usize {
        self.payloads.len()
    }

    fn frame(&mut self, epoch: Epoch, frame: Incoming<'_>) {
        if self.handle(Input::Frame { epoch, frame }).is_err() {
            // The core was closed and did not take the payload.
            match frame {
                Incoming::Reply { body, .. }
                | Incoming::Push { body, .. }
                | Incoming::NamedPush { body, .. }
                | Incoming::Ping { token: body } => self.payloads.release(body),
                Incoming::Other => {}
            }
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Open { epoch } => self.open(epoch),
            Output::Close { epoch, code } => {
                if let Some(line) = self.line.take_if(|line| line.epoch == epoch) {
                    line.close(code);
                }
            }
            Output::Credentials { id, .. } => self.ask(id),
            Output::Send { epoch, message } => self.send(epoch, message),
            Output::Settle { id, result } => self.settle(id, result),
            Output::Deliver { listener, body } => {
                if let (Some(buffer), Some(push)) =
                    (self.listeners.get(&listener), self.payloads.push(body))
                {
                    buffer.put(push.clone());
                }
            }
            Output::Release { body } => self.payloads.release(body),
            Output::Event(event) => self.tell(event),
        }
    }

    fn open(&mut self, epoch: Epoch) {
        let Some(shared) = self.me.upgrade() else {
            return;
        };
        let (line, orders) = Line::new(epoch);
        self.line = Some(line);
        let tasks = shared.tasks.clone();
        tasks.spawn_on(socket::run(shared, epoch, orders), &self.runtime);
    }

    fn ask(&mut self, id: RequestId) {
        let (Some(shared), Some(provider)) = (self.me.upgrade(), self.provider.clone()) else {
            return;
        };
        self.login = Some((id, None));
        let limit = self.provider_timeout;
        let tasks = shared.tasks.clone();
        let asking = async move {
            let answer = tokio::select! {
                () = shared.closed.cancelled() => return,
                answer = tokio::time::timeout(limit, provider()) => answer,
            };
            let credentials = match answer {
                Ok(Ok(credentials)) => Some(credentials),
                Ok(Err(error)) => {
                    tracing::warn!(%error, "no credentials for the login");
                    None
                }
                Err(_) => {
                    tracing::warn!("the credentials provider took too long");
                    None
                }
            };
            shared.with(|state| {
                // A later login may have been asked for meanwhile: its credentials must not be overwritten.
                if let Some((_, place)) = state.login.as_mut().filter(|(asked, _)| *asked == id) {
                    let ready = credentials.is_some();
                    *place = credentials;
                    let _ = state.handle(Input::Credentials { id, ready });
                }
            });
        };
        tasks.spawn_on(asking, &self.runtime);
    }

    fn send(&mut self, epoch: Epoch, message: Outgoing) {
        let (id, wire) = match message {
            Outgoing::Login { id } => {
                let credentials = self.login.take().filter(|(asked, _)| *asked == id);
                let Some((_, Some(Credentials { user, token }))) = credentials else {
                    return self.failed.push_back((epoch, id));
                };
                let data = encode_login_data(&user, &token);
                (
                    Some(id),
                    encode_request("login", Some(&data), &self.prefix.uuid(id)),
                )
            }
            Outgoing::Ping { id } => (
                Some(id),
                encode_request("ping", None, &self.prefix.uuid(id)),
            ),
            Outgoing::Pong { token } => (None, encode_response(&self.payloads.take_raw(token))),
            Outgoing::Request { id } => {
                let Some(pending) = self.requests.get_mut(&id) else {
                    return;
                };
                (Some(id), std::mem::take(&mut pending.wire))
            }
        };
        let sent = self
            .line
            .as_ref()
            .filter(|line| line.epoch == epoch)
            .is_some_and(|l| l.send(wire));
        // A pong that finds no room is left out: the server hears from us by what is before it in the queue.
        if let (false, Some(id)) = (sent, id) {
            self.failed.push_back((epoch, id));
        }
    }

    fn settle(&mut self, id: RequestId, result: Result<core::PayloadRef, core::RequestError>) {
        let result = match result {
            Ok(body) => Ok(Reply::new(self.payloads.take_raw(body))),
            Err(core::RequestError::Refused { body }) => {
                Err(RequestError::refused(&self.payloads.take_raw(body)))
            }
            Err(core::RequestError::NotSent(why)) => Err(RequestError::NotSent(why)),
            Err(core::RequestError::SentUnknown) => Err(RequestError::SentUnknown),
            Err(core::RequestError::TimedOut { sent }) => Err(RequestError::TimedOut { sent }),
            Err(core::RequestError::Cancelled { sent }) => Err(RequestError::Cancelled { sent }),
        };
        if let Some(pending) = self.requests.remove(&id) {
            // Whoever dropped the future does not want to know.
            let _ = pending.fate.send(result);
        }
    }

    fn tell(&mut self, event: ClientEvent) {
        let data = |payloads: &mut Payloads, body| Arc::<RawValue>::from(payloads.take_raw(body));
        let news = match event {
            ClientEvent::Phase(phase) => {
                self.phases.send_replace(phase);
                News::Phase(phase)
            }
            ClientEvent::LoggedIn { body, again } => News::LoggedIn {
                data: data(&mut self.payloads, body),
                again,
            },
            ClientEvent::LoginRefused { body } => {
                let data = data(&mut self.payloads, body);
                tracing::warn!(data = data.get(), "the login was refused");
                News::LoginRefused { data }
            }
            ClientEvent::Disconnected { reason } => {
                tracing::debug!(?reason, "the line ended");
                News::Disconnected { reason }
            }
            ClientEvent::OutboxDropped { reason, .. } => News::OutboxDropped { reason },
        };
        if let Some(sender) = &self.news {
            // Nobody listens at present: then there is nobody to tell.
            let _ = sender.send(news);
        }
    }

    fn now(&self) -> Millis {
        millis_since(self.origin)
    }
}

/// The one timer of a client.
async fn keep_time(shared: Arc<Shared>) {
    loop {
        let next = shared.with(|state| {
            state.armed = state.core.poll_timeout();
            state.armed
        });
        let ring = async {
            match next {
                Some(Millis(ms)) => {
                    tokio::time::sleep_until(shared.origin + Duration::from_millis(ms)).await;
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = shared.closed.cancelled() => return,
            () = shared.rearm.notified() => {}
            () = ring => shared.with(|state| {
                let _ = state.handle(Input::Timeout);
            }),
        }
    }
}

fn millis_since(origin: Instant) -> Millis {
    // 2^64 milliseconds are beyond any process's life.
    Millis(origin.elapsed().as_millis() as u64)
}
