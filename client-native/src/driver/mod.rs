//! The driver's heart: the core behind a lock, what belongs to its numbers, and the carrying out of its decisions.
//!
//! Whoever has news (a handle, a socket's task, the timer) locks, feeds the core and carries out what it decided, at
//! once and in order. Nothing waits under the lock: sockets, credentials and the app are reached through queues.
//!
//! - `arrive` – frames of a socket become inputs
//! - `carry_out` – outputs become deeds
//! - `ask` – the credentials provider
//! - `timer` – the one timer

mod arrive;
mod ask;
mod carry_out;
mod timer;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use heartline_client_core::{
    self as core, ApiMisuse, Config, Epoch, Input, ListenerId, Millis, Phase, RequestId,
    SendOutcome,
};
use tokio::sync::{Notify, broadcast, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::credentials::{Credentials, CredentialsProvider};
use crate::dial::Endpoint;
use crate::news::News;
use crate::payloads::Payloads;
use crate::pushes::Buffer;
use crate::request::{Reply, RequestError};
use crate::socket::Line;
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
            .spawn_on(timer::keep_time(Arc::clone(&shared)), &runtime);
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

    fn now(&self) -> Millis {
        // 2^64 milliseconds are beyond any process's life.
        Millis(self.origin.elapsed().as_millis() as u64)
    }
}
