//! The machine itself: its state, its doors, and what it does with each input. A table of contents in
//! code; the decisions live in the rooms below, one per concern.
//!
//! - `line` – a socket or none: dial, loss, wait, park, close; the platform's signals
//! - `login` – one login in flight, again after refusal, user switch
//! - `heartbeat` – pings both ways, dead links, probes
//! - `passage` – of time: what is due rings, and the machine's clock is set back before it is used up
//! - `streams` – durable messages and their turns; `receipts` – positions and acknowledgements
//! - `rules` – what a driver may not do
//! - `questions` – what a driver may ask
//! - `requests` – accept, send, queue, settle
//! - `frames` – what arrives, and who hears it
//!
//! Each `handle` does three things in this order: a late clock is noticed (`notice_sleep`), the input is
//! taken, then the timers that are due ring. A frame that comes together with a deadline is thus heard first.
//!
//! A few functions are marked `inline(never)`: called from many places, their copies were a fifth of the wasm.

mod frames;
mod heartbeat;
mod line;
mod login;
mod passage;
mod questions;
mod receipts;
mod requests;
mod rules;
mod sizes;
mod streams;

use crate::{
    ApiMisuse, ClientEvent, CloseReason, Config, Epoch, Input, Millis, Outgoing, Output, Phase,
    RequestId,
    clock::{Clock, Moment, NEVER},
    outbox::Outbox,
    pool::Pool,
    rng::Rng,
    router::Router,
    streams::Stream,
    timers::Timers,
};
use heartbeat::Ping;
use login::Login;
pub use sizes::Sizes;

/// The client as a value. See the crate's page for how to drive it.
pub struct Client {
    config: Config,
    rng: Rng,
    clock: Clock,
    /// Those before `next_output` were polled already; emptied when all were. A `VecDeque` would cost more wasm.
    outputs: Vec<Output>,
    next_output: usize,
    timers: Timers,
    /// A socket (of `epoch`) lives exactly while `phase.is_connected()`.
    phase: Phase,

    // What the app wants.
    started: bool,
    destroyed: bool,
    /// Somebody is logged in to the app. A socket lives only while this holds.
    identity: bool,
    /// Why nothing is tried any more: the app's `Stop`, or a terminal close code.
    closed: Option<CloseReason>,

    // What the platform says.
    online: bool,
    visible: bool,

    // The line.
    /// The latest attempt. Four thousand million of them, two per second, take 68 years.
    epoch: Epoch,
    /// How many times in a row the line was lost before it was stable.
    attempt: u32,
    /// No outside signal may cause a dial before this.
    spaced: Moment,
    login: Login,
    /// The identity has changed, and no login of the new one was answered on this line: what arrives is the former user's.
    is_foreign: bool,
    /// The latest `ping`, while its reply is awaited.
    ping: Option<Ping>,

    // The traffic.
    last_request: usize,
    pool: Pool,
    outbox: Outbox,
    router: Router,

    // Durable streams.
    /// By number; at most [`MAX_STREAMS`].
    streams: Vec<Stream>,
    last_turn: u32,
    /// How many positions were stored since the latest acknowledgement.
    unacked: u32,
    /// How often in a row a position could not be stored.
    #[cfg(not(target_arch = "wasm32"))]
    unstored: u32,
}

impl Client {
    /// A client that has not started. `seed` feeds the jitter; `now` is the present.
    ///
    /// It takes the network for present and the app for visible until it is told otherwise, and nobody
    /// for logged in.
    pub fn new(config: Config, seed: u64, now: Millis) -> Self {
        Self {
            config,
            rng: Rng::new(seed),
            clock: Clock::new(now),
            outputs: Vec::new(),
            next_output: 0,
            timers: Timers::new(),
            phase: Phase::Idle,
            started: false,
            destroyed: false,
            identity: false,
            closed: None,
            online: true,
            visible: true,
            epoch: Epoch(0),
            attempt: 0,
            spaced: Moment::START,
            login: Login::new(),
            is_foreign: false,
            ping: None,
            last_request: 0,
            pool: Pool::new(),
            outbox: Outbox::default(),
            router: Router::new(),
            streams: Vec::new(),
            last_turn: 0,
            unacked: 0,
            #[cfg(not(target_arch = "wasm32"))]
            unstored: 0,
        }
    }

    /// Feeds one input at time `now`. Should the driver's clock have been set back, no time has passed.
    ///
    /// Each input adds a few outputs (a push: one per listener that hears it; the end of a line: one per
    /// request on it). The queue is bounded by what was fed since it was last drained, nothing else
    /// adds to it: drain it after every input, or after every batch.
    ///
    /// # Errors
    /// [`ApiMisuse`] when the caller broke a rule; the client is then unchanged, and a payload reference
    /// in the input stays the driver's own to forget.
    pub fn handle(&mut self, now: Millis, input: Input<'_>) -> Result<(), ApiMisuse> {
        if self.destroyed {
            return if matches!(input, Input::Destroy) {
                Ok(())
            } else {
                Err(ApiMisuse::Destroyed)
            };
        }
        self.check(input)?;
        if let Input::Request { .. } = input {
            // Taken before anything else can: a probe of `notice_sleep` would go out under the same id.
            self.allocate_id();
        }
        self.clock.advance(now);
        // A socket that is gone is not probed.
        if !matches!(input, Input::Failed { epoch } | Input::Closed { epoch, .. } if epoch == self.epoch)
        {
            self.notice_sleep();
        }
        self.take(input);
        self.ring();
        self.rebase();
        Ok(())
    }

    /// The settings, to be changed before the first input.
    pub fn config_mut(&mut self) -> &mut Config {
        &mut self.config
    }

    /// The next decision, oldest first.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.get(self.next_output).copied();
        if output.is_some() {
            self.next_output += 1;
        } else {
            self.outputs.clear();
            self.next_output = 0;
        }
        output
    }

    /// The one next deadline. Always later than the `now` of the latest [`Self::handle`].
    pub fn poll_timeout(&self) -> Option<Millis> {
        let at = self.next_deadline();
        (at != NEVER).then(|| self.clock.shown(at))
    }

    /// The name of the timer behind [`Self::poll_timeout`].
    pub fn next_timeout_reason(&self) -> Option<&'static str> {
        let (at, timer) = self.timers.next();
        if self.pool.next_deadline() < at {
            Some("request")
        } else {
            (at != NEVER).then(|| timer.name())
        }
    }

    fn take(&mut self, input: Input<'_>) {
        match input {
            Input::Start => self.start(),
            Input::Stop => self.stop(),
            Input::Disconnect => self.disconnect(),
            Input::Destroy => self.destroy(),
            Input::Identity { present } => self.identify(present),
            Input::Request { id, options } => self.request(id, options),
            Input::Cancel { id } => self.cancel(id),
            Input::Listen {
                listener,
                pattern,
                mode,
            } => self.router.listen(listener, pattern, mode),
            Input::Unlisten { listener } => self.router.unlisten(listener),
            Input::UnlistenPattern { pattern } => self.router.unlisten_pattern(pattern),
            Input::Position {
                stream,
                tag,
                handled,
            } => self.position(stream, tag, handled),
            Input::Forget { stream } => self.stream(stream).forget(),
            Input::Stored {
                stream,
                tag,
                handled,
                ok,
            } => self.stored(stream, tag, handled, ok),
            Input::Handled { stream, turn, ok } => self.handled(stream, turn, ok),
            #[cfg(not(target_arch = "wasm32"))]
            Input::GiveUp { stream, turn } => self.give_up(stream, turn),
            Input::Credentials { id, ready } => self.credentials(id, ready),
            Input::Opened { epoch } => self.opened(epoch),
            Input::Frame { epoch, frame } => self.frame(epoch, frame),
            Input::SendFailed { epoch, id, outcome } => self.send_failed(epoch, id, outcome),
            Input::Failed { epoch } => self.failed(epoch),
            Input::Closed {
                epoch,
                code,
                retry_after_ms,
            } => self.remote_closed(epoch, code, retry_after_ms),
            Input::Network { online } => self.network(online),
            Input::Visibility { visible } => self.visibility(visible),
            Input::Timeout => {}
        }
    }

    fn is_open(&self, epoch: Epoch) -> bool {
        epoch == self.epoch && self.phase.is_open()
    }

    fn is_connected(&self, epoch: Epoch) -> bool {
        epoch == self.epoch && self.phase.is_connected()
    }

    /// The one place where the phase changes.
    fn enter(&mut self, phase: Phase) {
        if phase != self.phase {
            self.phase = phase;
            self.event(ClientEvent::Phase(phase));
        }
    }

    fn allocate_id(&mut self) -> RequestId {
        self.last_request += 1;
        RequestId(self.last_request)
    }

    fn send(&mut self, message: Outgoing) {
        self.out(Output::Send {
            epoch: self.epoch,
            message,
        });
    }

    fn event(&mut self, event: ClientEvent) {
        self.out(Output::Event(event));
    }

    #[inline(never)]
    fn out(&mut self, output: Output) {
        self.outputs.push(output);
    }
}
