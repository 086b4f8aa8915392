//! The driver's heart: the core behind a lock, what belongs to its numbers, and the carrying out of its decisions.
//!
//! Whoever has news (a handle, a socket's task, the timer) locks, feeds the core and carries out what it decided, at
//! once and in order. Nothing waits under the lock: sockets, credentials and the app are reached through queues.
//!
//! - `streams` – durable streams: numbers, turns, positions
//! - `arrive` – frames of a socket become inputs
//! - `carry_out` – outputs become deeds
//! - `ask` – the credentials provider
//! - `timer` – the one timer

mod arrive;
mod ask;
mod carry_out;
mod streams;
mod timer;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use heartline_client_core::{
    self as core, ApiMisuse, CloseReason, Config, Epoch, EpochTag, EventId, Input, ListenerId,
    Millis, Phase, RequestId, SendOutcome, StreamId,
};
use heartline_trace::{Recorder, Trace};
use tokio::sync::{Notify, broadcast, oneshot, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::consume::{Gap, Line as ConsumerLine};
use crate::credentials::{Credentials, CredentialsProvider};
use crate::dial::Endpoint;
use crate::news::News;
use crate::payloads::Payloads;
use crate::pushes::Buffer;
use crate::request::{Reply, RequestError};
use crate::socket::Line;
use crate::wire_id::Prefix;
pub(crate) use streams::Durable;

/// Of what is said of a line's end, so many characters are kept.
const MAX_DETAIL: usize = 200;
/// How many news a slow reader of [`crate::Client::news`] may lag behind.
const NEWS_BOUND: usize = 64;

/// What the handles and the tasks of one client share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// The next deadline has moved to an earlier time, or there is none any more.
    rearm: Notify,
    /// What was answered to turns and is not fed yet: whoever answers may hold the lock above.
    answers: Mutex<Vec<Input<'static>>>,
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
    /// By number; each counts as a listener, or hears of gaps.
    pub(crate) consumers: HashMap<u64, ConsumerLine>,
    last_consumer: u64,
    durable: Option<Durable>,
    recorder: Option<Recorder>,
    /// The gap whose turn comes next.
    gap: Option<Gap>,
    pub(crate) provider: Option<CredentialsProvider>,
    /// The login whose credentials were asked for last, and what the provider said.
    login: Option<(RequestId, Option<Credentials>)>,
    line: Option<Line>,
    /// Sends that failed while decisions were being carried out: fed back afterwards.
    /// What became of positions that were to be stored: fed back likewise.
    stored: VecDeque<(StreamId, EpochTag, u32, bool)>,
    /// The queue of this line is full of what nobody reads.
    overfull: Option<Epoch>,
    /// What the platform said of the end that is told next, and what was told last.
    pub(crate) detail: Option<Arc<str>>,
    last_end: Option<(CloseReason, Option<Arc<str>>)>,
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
    /// The encoded frame, until it is sent for the last time.
    pub(crate) wire: String,
    pub(crate) is_idempotent: bool,
    pub(crate) fate: oneshot::Sender<Result<Reply, RequestError>>,
}

impl Shared {
    pub(crate) fn new(
        endpoint: Endpoint,
        config: Config,
        provider: Option<CredentialsProvider>,
        (durable, record): (Option<Durable>, Option<usize>),
        (prefix, seed): (Prefix, u32),
        runtime: tokio::runtime::Handle,
    ) -> Arc<Self> {
        let origin = Instant::now();
        let provider_timeout = Duration::from_millis(config.login_timeout_ms.into());
        let recorder = record.map(|bound| Recorder::new(bound, &config, seed.into(), Millis(0)));
        let core = core::Client::new(config, seed.into(), Millis(0));
        let shared = Arc::new_cyclic(|me| Self {
            state: Mutex::new(State {
                phases: watch::Sender::new(core.phase()),
                core,
                payloads: Payloads::default(),
                requests: HashMap::new(),
                listeners: HashMap::new(),
                consumers: HashMap::new(),
                last_consumer: 0,
                durable,
                recorder,
                gap: None,
                provider,
                login: None,
                line: None,
                stored: VecDeque::new(),
                overfull: None,
                detail: None,
                last_end: None,
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
            answers: Mutex::default(),
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
        // Each answer may bring the next turn, which may be answered at once.
        while let Some(answer) = self.next_answer() {
            // A closed client waits for no answer.
            let _ = state.handle(answer);
        }
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

    /// A turn is over. Whoever holds the lock now feeds it, or the timer's task does.
    pub(crate) fn answer_turn(&self, answer: Input<'static>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        // At most one per stream waits, and those of former lives of a closed client.
        answers.push(answer);
        drop(answers);
        self.rearm.notify_one();
    }

    fn next_answer(&self) -> Option<Input<'static>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.pop()
    }

    /// The runtime that this client's tasks run on.
    pub(crate) fn runtime(&self) -> tokio::runtime::Handle {
        self.with(|state| state.runtime.clone())
    }

    /// The socket's task reports.
    pub(crate) fn report(&self, input: Input<'_>, detail: Option<String>) {
        self.with(|state| {
            let is_present = |epoch| state.line.as_ref().is_some_and(|line| line.epoch == epoch);
            if let Input::Closed { epoch, .. } | Input::Failed { epoch } = input
                && is_present(epoch)
            {
                // What a stranger said, perhaps.
                let plain = |text: String| {
                    text.chars()
                        .take(MAX_DETAIL)
                        .flat_map(char::escape_debug)
                        .collect::<String>()
                };
                state.detail = detail.map(|text| plain(text).into());
            }
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
            state.consumers.clear();
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
        self.feed(input)?;
        loop {
            // Ends: each failure settles a request or ends the line, and a line that ended sends no more; what is said of a
            // position asks for none at once.
            if let Some((stream, tag, handled, ok)) = self.stored.pop_front() {
                self.feed(Input::Stored {
                    stream,
                    tag,
                    handled,
                    ok,
                })?;
            } else if let Some(epoch) = self.overfull.take() {
                self.detail = Some("the server reads nothing: the queue to it is full".into());
                self.line = None;
                self.feed(Input::Failed { epoch })?;
            } else if let Some((epoch, id)) = self.failed.pop_front() {
                let outcome = SendOutcome::NotSent;
                self.feed(Input::SendFailed { epoch, id, outcome })?;
            } else {
                return Ok(());
            }
        }
    }

    fn feed(&mut self, input: Input<'_>) -> Result<(), ApiMisuse> {
        let now = self.now();
        if let Some(recorder) = &mut self.recorder {
            recorder.input(now, &input);
        }
        let outcome = self.core.handle(now, input);
        while let Some(output) = self.core.poll_output() {
            if let Some(recorder) = &mut self.recorder {
                recorder.output(now, output);
            }
            self.carry_out(output);
        }
        if let Some(recorder) = &mut self.recorder {
            let listener = match input {
                Input::Listen { listener, .. } => Some(listener.0),
                _ => None,
            };
            recorder.answer(&self.core, now, outcome.map(|()| listener));
        }
        outcome
    }

    /// The number of an event's name, where the core has room for it.
    fn intern(&mut self, name: &str) -> Option<EventId> {
        let event = self.core.intern(name);
        if let Some(recorder) = &mut self.recorder {
            recorder.interned(name, event);
        }
        event
    }

    /// What was recorded, if anything is.
    pub(crate) fn trace(&self) -> Option<Trace> {
        self.recorder.as_ref().map(Recorder::trace)
    }

    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.phases.subscribe()
    }

    pub(crate) fn news(&mut self) -> broadcast::Receiver<News> {
        self.news
            .get_or_insert_with(|| broadcast::Sender::new(NEWS_BOUND))
            .subscribe()
    }

    /// Registers a consumer, and answers its number.
    pub(crate) fn add_consumer(&mut self, line: ConsumerLine) -> u64 {
        self.last_consumer += 1;
        self.consumers.insert(self.last_consumer, line);
        self.last_consumer
    }

    /// Payloads that are kept now, but for stored pushes that wait for their turn: none, whenever the lock is free.
    pub(crate) fn payloads(&self) -> usize {
        self.payloads.loose()
    }

    fn now(&self) -> Millis {
        // 2^64 milliseconds are beyond any process's life.
        Millis(self.origin.elapsed().as_millis() as u64)
    }
}
