//! The oracle: a driver with a perfect memory. It feeds a client and checks each decision against what it
//! remembers of sockets, requests and payloads.

mod watch;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::operations::{Latest, NAMES, Op, PATTERNS, Storage, Way, Which};
use crate::streams::Streams;
use heartline_client_core::*;
use heartline_trace::Recorder;

/// What truly became of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Socket {
    Dialling,
    Open,
    /// It failed or closed by itself.
    Died,
    /// It was ordered closed.
    Closed,
}

#[derive(Clone, Copy, Debug, Default)]
struct Request {
    before_login: bool,
    idempotent: bool,
    bytes: u32,
    /// When the caller's own timeout ends, in the machine's own time.
    expires: Option<u64>,
    /// When it was sent or queued last.
    placed_at: u64,
    /// The epoch on which it was sent last.
    sent_on: Epoch,
    sent: bool,
    settled: bool,
}

pub struct World {
    pub client: Client,
    /// Fed alike, but never drained before the end.
    twin: Client,
    config: Config,
    pub now: u64,
    /// When the client was fed last, and the machine's own time then: steps back take none.
    fed_at: u64,
    own: u64,
    pub destroyed: bool,
    sockets: BTreeMap<Epoch, Socket>,
    /// Of the latest epoch: its end was told.
    end_told: bool,
    requests: BTreeMap<RequestId, Request>,
    latest_sent: [RequestId; 2],
    refs: u32,
    /// The latest offset of each stream that the server spoke of.
    offsets: BTreeMap<StreamId, u32>,
    /// The epoch on which the honest server spoke of each last.
    served_on: BTreeMap<StreamId, Epoch>,
    /// The references that await their answer.
    unanswered: Vec<PayloadRef>,
    told_phase: Phase,
    /// The latest question to the provider, and whether it was answered with credentials.
    credentials: Option<(RequestId, bool)>,
    /// As registered, in order.
    listeners: Vec<(ListenerId, &'static str)>,
    /// When the latest dial began and when a login was refused last, while the clock was not set.
    dialled_at: Option<u64>,
    refused_at: Option<u64>,
    /// A login began, and its credentials were not asked for yet.
    login_begins: bool,
    streams: Streams,
    /// The present input is the app's own order, which needs no patience.
    app_orders: bool,
    latest_login: Option<RequestId>,
    /// The ids of every login, ping and request that was sent.
    wire_ids: BTreeSet<RequestId>,
    /// The latest reply that was fed: to what, and its body.
    replied: Option<(RequestId, PayloadRef)>,
    /// The identity changed on this line, and its login was not answered yet.
    is_foreign: bool,
    storage: Storage,
    /// What the storage was asked to keep and has not answered, oldest first.
    storing: VecDeque<(StreamId, EpochTag, u32)>,
    log: Vec<Output>,
    /// Where this life is written down.
    pub recorder: Option<Recorder>,
    /// The outputs of the latest input.
    pub fresh: Vec<Output>,
}

impl World {
    pub fn new(config: Config, seed: u64) -> Self {
        let now = 1_000_000;
        Self {
            client: Client::new(config.clone(), seed, Millis(now)),
            twin: Client::new(config.clone(), seed, Millis(now)),
            config,
            now,
            fed_at: now,
            own: 0,
            destroyed: false,
            sockets: BTreeMap::new(),
            end_told: true,
            requests: BTreeMap::new(),
            latest_sent: [RequestId(0); 2],
            refs: 0,
            offsets: BTreeMap::new(),
            served_on: BTreeMap::new(),
            unanswered: Vec::new(),
            told_phase: Phase::Idle,
            credentials: None,
            listeners: Vec::new(),
            dialled_at: None,
            refused_at: None,
            login_begins: false,
            streams: Streams::default(),
            app_orders: false,
            latest_login: None,
            wire_ids: BTreeSet::new(),
            replied: None,
            is_foreign: false,
            storage: Storage::Works,
            storing: VecDeque::new(),
            log: Vec::new(),
            recorder: None,
            fresh: Vec::new(),
        }
    }

    /// A world whose twin has lived for so long already.
    pub fn with_an_aged_twin(config: Config, seed: u64, age_ms: u64) -> Self {
        let mut world = Self::new(config, seed);
        let origin = Millis(world.now.wrapping_sub(age_ms));
        world.twin = Client::new(world.config.clone(), seed, origin);
        assert_eq!(world.twin.handle(Millis(world.now), Input::Timeout), Ok(()));
        world
    }

    pub fn play(&mut self, op: &Op) {
        match *op {
            Op::Start => self.feed(Input::Start),
            Op::Stop => self.feed(Input::Stop),
            Op::Disconnect => self.feed(Input::Disconnect),
            Op::Destroy => self.feed(Input::Destroy),
            Op::Identity(present) => {
                self.is_foreign |= self.client.phase().is_open();
                self.feed(Input::Identity { present });
                if !self.destroyed {
                    // What one user was refused does not count against the next.
                    self.refused_at = None;
                }
            }
            Op::Request {
                timeout_ms,
                unsent,
                before_login,
                idempotent,
                bytes,
            } => {
                self.request(RequestOptions {
                    timeout_ms,
                    unsent,
                    before_login,
                    idempotent,
                    bytes,
                });
            }
            Op::RequestOutOfTurn(by) => {
                let id = RequestId(
                    self.client
                        .next_request_id()
                        .0
                        .saturating_add_signed(by.into()),
                );
                let options = RequestOptions {
                    timeout_ms: 0,
                    unsent: Unsent::Fail,
                    before_login: true,
                    idempotent: false,
                    bytes: 0,
                };
                self.feed_misuse(
                    Input::Request { id, options },
                    ApiMisuse::RequestIdOutOfTurn,
                );
            }
            Op::Cancel(id) => self.feed(Input::Cancel { id: self.id(id) }),
            Op::Listen { pattern, mode } => {
                let listener = self.client.next_listener_id();
                let pattern = PATTERNS[pattern];
                let input = Input::Listen {
                    listener,
                    pattern,
                    mode,
                };
                if self.try_feed(input).is_ok() {
                    if mode == ListenMode::Replace {
                        self.listeners.retain(|&(_, p)| p != pattern);
                    }
                    self.listeners.push((listener, pattern));
                }
            }
            Op::ListenOutOfTurn => {
                let listener = ListenerId(self.client.next_listener_id().0 + 1);
                let input = Input::Listen {
                    listener,
                    pattern: "a",
                    mode: ListenMode::Add,
                };
                self.feed_misuse(input, ApiMisuse::ListenerIdOutOfTurn);
            }
            Op::Unlisten(n) => {
                self.feed(Input::Unlisten {
                    listener: ListenerId(n),
                });
                self.listeners.retain(|&(id, _)| id.0 != n);
            }
            Op::UnlistenPattern(n) => {
                self.feed(Input::UnlistenPattern {
                    pattern: PATTERNS[n],
                });
                self.listeners.retain(|&(_, p)| p != PATTERNS[n]);
            }
            Op::Credentials { id, ready } => self.answer_credentials(self.id(id), ready),
            Op::Opened(on) => self.opened(self.epoch(on)),
            Op::Reply { on, id, ok } => self.reply(self.epoch(on), self.id(id), ok),
            Op::ServerPing(on) => self.frame(on, |token| Incoming::Ping { token }),
            Op::Push { on, name, way } => self.push(on, NAMES[name], way),
            Op::PushUnknown(on) => {
                let event = EventId(self.config.max_event_names);
                let frame = Incoming::Push {
                    event,
                    body: PayloadRef(u32::MAX),
                };
                self.feed_misuse(
                    Input::Frame {
                        epoch: self.epoch(on),
                        frame,
                    },
                    ApiMisuse::UnknownEvent,
                );
            }
            Op::Garbage(on) => self.feed(Input::Frame {
                epoch: self.epoch(on),
                frame: Incoming::Other,
            }),
            Op::SendFailed { on, id, outcome } => {
                self.feed(Input::SendFailed {
                    epoch: self.epoch(on),
                    id: self.id(id),
                    outcome,
                });
            }
            Op::Attached {
                on,
                stream,
                tag,
                offset,
            } => {
                let (stream, tag) = (StreamId(stream), EpochTag(tag));
                self.offsets.insert(stream, offset);
                self.streams.attached(stream);
                self.hear(
                    on,
                    Incoming::Attached {
                        stream,
                        tag,
                        offset,
                    },
                );
            }
            Op::Durable { on, stream, ahead } => {
                let stream = StreamId(stream);
                let last = self.offsets.entry(stream).or_default();
                let offset = *last + ahead;
                *last = offset;
                let body = self.payload();
                if !self.destroyed {
                    self.streams.fed(stream, body);
                }
                self.hear(
                    on,
                    Incoming::Durable {
                        stream,
                        offset,
                        body,
                    },
                );
            }
            Op::Gap {
                on,
                stream,
                tag,
                from,
                to,
                reason,
            } => {
                let (stream, tag) = (StreamId(stream), EpochTag(tag));
                self.offsets.insert(stream, to);
                self.hear(
                    on,
                    Incoming::Gap {
                        stream,
                        tag,
                        from,
                        to,
                        reason,
                    },
                );
            }
            Op::Position {
                stream,
                tag,
                handled,
            } => {
                let (stream, tag) = (StreamId(stream), EpochTag(tag));
                if !self.destroyed {
                    self.streams.remembered(stream, tag, handled);
                }
                self.feed(Input::Position {
                    stream,
                    tag,
                    handled,
                });
            }
            Op::Serve { stream, handle } => {
                let on = Which(1);
                let (id, tag) = (StreamId(stream), 1);
                let offset = self.offsets.get(&id).copied();
                let epoch = self.latest_epoch();
                if self.served_on.insert(id, epoch) != Some(epoch) {
                    let offset = offset.unwrap_or(0);
                    self.play(&Op::Attached {
                        on,
                        stream,
                        tag,
                        offset,
                    });
                } else if handle {
                    let (stale, ok) = (false, true);
                    self.play(&Op::Handled { stream, stale, ok });
                } else {
                    let ahead = 1;
                    self.play(&Op::Durable { on, stream, ahead });
                }
            }
            Op::Storage(how) => {
                self.storage = how;
                self.store();
            }
            Op::StorageAnswers(ok) => self.storage_answers(ok),
            Op::Forget(stream) => {
                let stream = StreamId(stream);
                match self.try_feed(Input::Forget { stream }) {
                    Ok(()) => {
                        self.streams.forgotten(stream);
                        // What was asked for it is asked for nobody.
                        self.storing.retain(|(of, _, _)| *of != stream);
                    }
                    Err(misuse) if self.destroyed => assert_eq!(misuse, ApiMisuse::Destroyed),
                    Err(misuse) => assert_eq!(misuse, ApiMisuse::StreamInUse),
                }
            }
            Op::Handled { stream, stale, ok } => {
                let stream = StreamId(stream);
                let turn = self.streams.turn(stream, stale);
                self.streams.handled(stream, turn, ok);
                self.feed(Input::Handled { stream, turn, ok });
            }
            Op::Failed(on) => {
                self.died(self.epoch(on));
                self.feed(Input::Failed {
                    epoch: self.epoch(on),
                });
            }
            Op::Closed {
                on,
                code,
                retry_after_ms,
            } => {
                self.died(self.epoch(on));
                self.feed(Input::Closed {
                    epoch: self.epoch(on),
                    code,
                    retry_after_ms,
                });
            }
            Op::Network(online) => self.feed(Input::Network { online }),
            Op::Visibility(visible) => self.feed(Input::Visibility { visible }),
            Op::Sleep(ms) => {
                self.now = self.now.saturating_add(ms);
                self.feed(Input::Timeout);
            }
            Op::Late(ms) => self.now = self.now.saturating_add(ms),
            Op::Ring => {
                self.ring();
            }
            Op::ClockSays(now) => {
                self.now = now;
                (self.dialled_at, self.refused_at) = (None, None);
                self.feed(Input::Timeout);
            }
            Op::Honest => self.be_honest(),
        }
    }

    /// Ends the client; afterwards nothing is owed to anybody.
    pub fn destroy(&mut self) {
        self.feed(Input::Destroy);
        self.streams.end();
        assert_eq!(self.try_feed(Input::Start), Err(ApiMisuse::Destroyed));
        let unsettled = self.requests.iter().find(|(_, request)| !request.settled);
        assert!(unsettled.is_none(), "never settled: {unsettled:?}");
        assert!(
            self.unanswered.is_empty(),
            "never answered: {:?}",
            self.unanswered
        );
        assert_eq!(self.client.poll_timeout(), None);
        assert!(self.end_told, "the end of the last line was never told");
    }

    pub fn every_output(&self) -> &[Output] {
        &self.log
    }

    pub fn outputs_of_the_undrained_twin(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.twin.poll_output()).collect()
    }

    pub fn latest_epoch(&self) -> Epoch {
        self.sockets
            .last_key_value()
            .map_or(Epoch(0), |(&epoch, _)| epoch)
    }

    /// Lets the timer ring when it should. Whether there was one.
    pub fn ring(&mut self) -> bool {
        let Some(at) = self.client.poll_timeout() else {
            return false;
        };
        self.now = self.now.max(at.0);
        self.feed(Input::Timeout);
        true
    }

    pub fn opened(&mut self, epoch: Epoch) {
        if let Some(socket @ Socket::Dialling) = self.sockets.get_mut(&epoch) {
            *socket = Socket::Open;
        }
        self.feed(Input::Opened { epoch });
    }

    pub fn answer_credentials(&mut self, id: RequestId, ready: bool) {
        if let Some((asked, answered)) = &mut self.credentials
            && *asked == id
        {
            *answered |= ready;
        }
        self.feed(Input::Credentials { id, ready });
    }

    pub fn reply(&mut self, epoch: Epoch, id: RequestId, ok: bool) {
        let body = self.payload();
        self.replied = Some((id, body));
        self.feed(Input::Frame {
            epoch,
            frame: Incoming::Reply { id, ok, body },
        });
    }

    pub fn request(&mut self, options: RequestOptions) {
        let id = self.client.next_request_id();
        if !self.destroyed {
            self.requests.insert(
                id,
                Request {
                    before_login: options.before_login,
                    idempotent: options.idempotent,
                    bytes: options.bytes,
                    expires: (options.timeout_ms > 0)
                        .then(|| self.own_now() + u64::from(options.timeout_ms)),
                    placed_at: self.own_now(),
                    ..Request::default()
                },
            );
        }
        self.feed(Input::Request { id, options });
    }

    /// What an honest driver and server would do next.
    fn be_honest(&mut self) {
        let epoch = self.latest_epoch();
        match self.client.phase() {
            Phase::Connecting => self.opened(epoch),
            Phase::LoggingIn => match (self.latest_login, self.credentials) {
                (Some(login), Some((asked, _))) if login == asked => self.reply(epoch, login, true),
                (_, Some((asked, _))) => self.answer_credentials(asked, true),
                _ => panic!("logging in, but nobody was asked for credentials"),
            },
            Phase::Ready => {
                let open = self
                    .requests
                    .iter()
                    .find(|(_, r)| r.sent && !r.settled)
                    .map(|(&id, _)| id);
                self.reply(epoch, open.unwrap_or(self.id(Latest(1))), true);
            }
            _ => {
                self.ring();
            }
        }
    }

    fn push(&mut self, on: Which, name: &str, way: Way) {
        let event = if way == Way::Named {
            None
        } else {
            self.client.intern(name)
        };
        if way != Way::Named {
            assert_eq!(event, self.twin.intern(name));
            if let Some(recorder) = &mut self.recorder {
                recorder.interned(name, event);
            }
        }
        match event {
            Some(event) if way == Way::Quick => self.push_quickly(on, event),
            Some(event) => self.frame(on, |body| Incoming::Push { event, body }),
            None => self.frame(on, |body| Incoming::NamedPush { event: name, body }),
        }
        let heard = self.fresh.iter().filter_map(|output| match output {
            Output::Deliver { listener, .. } => Some(*listener),
            _ => None,
        });
        let open = !self.destroyed && self.sockets.get(&self.epoch(on)) == Some(&Socket::Open);
        // What came for a former user is nobody's.
        let open = open && !self.is_foreign;
        let expected = self
            .listeners
            .iter()
            .filter(|(_, pattern)| open && covers(pattern, name));
        assert!(
            heard.eq(expected.map(|&(id, _)| id)),
            "the wrong listeners heard {name}"
        );
    }

    /// The quick way is open exactly while the line is, and is then the long way without its outputs: the twin, which
    /// goes the long way, puts out what stands here, and nothing else differs.
    fn push_quickly(&mut self, on: Which, event: EventId) {
        let epoch = self.epoch(on);
        let open = !self.destroyed && self.sockets.get(&epoch) == Some(&Socket::Open);
        let open = open && !self.is_foreign;
        let ask = |client: &mut Client| client.push(epoch, event).map(Vec::from_iter);
        let hearers = ask(&mut self.client);
        assert_eq!(
            hearers,
            ask(&mut self.client),
            "asked twice, it changed its mind"
        );
        assert_eq!(hearers.is_some(), open);
        if let Some(recorder) = &mut self.recorder {
            recorder.pushed(epoch, event, hearers.as_deref());
        }
        let Some(hearers) = hearers else {
            return self.frame(on, |body| Incoming::Push { event, body });
        };
        let body = self.payload();
        let deliver = |listener| Output::Deliver { listener, body };
        self.fresh = hearers.into_iter().map(deliver).collect();
        self.fresh.push(Output::Release { body });
        self.log.extend(&self.fresh);
        let frame = Incoming::Push { event, body };
        let fed = self
            .twin
            .handle(Millis(self.fed_at), Input::Frame { epoch, frame });
        assert_eq!(fed, Ok(()));
        assert_eq!(self.client.poll_timeout(), self.twin.poll_timeout());
        assert!(
            self.client.poll_output().is_none(),
            "the quick way put something out"
        );
        self.look();
    }

    fn hear(&mut self, on: Which, frame: Incoming<'_>) {
        let epoch = self.epoch(on);
        self.feed(Input::Frame { epoch, frame });
    }

    fn frame<'a>(&mut self, on: Which, frame: impl FnOnce(PayloadRef) -> Incoming<'a>) {
        let frame = frame(self.payload());
        self.feed(Input::Frame {
            epoch: self.epoch(on),
            frame,
        });
    }

    fn payload(&mut self) -> PayloadRef {
        self.refs += 1;
        PayloadRef(self.refs)
    }

    fn epoch(&self, which: Which) -> Epoch {
        Epoch((self.latest_epoch().0 + 1).saturating_sub(which.0))
    }

    fn id(&self, latest: Latest) -> RequestId {
        RequestId(self.client.next_request_id().0.saturating_sub(latest.0))
    }

    fn died(&mut self, epoch: Epoch) {
        if let Some(socket @ (Socket::Dialling | Socket::Open)) = self.sockets.get_mut(&epoch) {
            *socket = Socket::Died;
        }
    }

    fn feed_misuse(&mut self, input: Input<'_>, expected: ApiMisuse) {
        let expected = if self.destroyed {
            ApiMisuse::Destroyed
        } else {
            expected
        };
        assert_eq!(self.try_feed(input), Err(expected));
    }

    fn feed(&mut self, input: Input<'_>) {
        let expected = if self.destroyed && input != Input::Destroy {
            Err(ApiMisuse::Destroyed)
        } else {
            Ok(())
        };
        assert_eq!(self.try_feed(input), expected);
    }

    fn try_feed(&mut self, input: Input<'_>) -> Result<(), ApiMisuse> {
        self.app_orders = matches!(input, Input::Start | Input::Identity { .. });
        let now = Millis(self.now);
        if let Some(recorder) = &mut self.recorder {
            recorder.input(now, &input);
        }
        let result = self.client.handle(now, input);
        assert_eq!(self.twin.handle(Millis(self.now), input), result);
        if result.is_ok() {
            (self.own, self.fed_at) = (self.own_now(), self.now);
            self.unanswered.extend(payload_of(input));
        }
        self.fresh.clear();
        while let Some(output) = self.client.poll_output() {
            self.fresh.push(output);
            self.log.push(output);
            if let Some(recorder) = &mut self.recorder {
                recorder.output(now, output);
            }
            self.watch(output);
        }
        if let Some(recorder) = &mut self.recorder {
            let listener = match input {
                Input::Listen { listener, .. } => Some(listener.0),
                _ => None,
            };
            recorder.answer(&self.client, now, result.map(|()| listener));
        }
        assert_eq!(
            self.client.poll_timeout(),
            self.twin.poll_timeout(),
            "the twin waits for something else"
        );
        if !matches!(input, Input::SendFailed { .. }) {
            self.look_at_the_lost();
        }
        assert!(
            result.is_ok() || self.fresh.is_empty(),
            "misuse changed something"
        );
        self.destroyed |= input == Input::Destroy;
        self.look();
        self.store();
        result
    }

    /// The storage answers what it was asked, unless it takes its time.
    fn store(&mut self) {
        let fresh = std::mem::take(&mut self.fresh);
        while self.storage != Storage::Lags && !self.storing.is_empty() {
            self.storage_answers(self.storage == Storage::Works);
        }
        self.fresh.splice(0..0, fresh);
    }

    fn storage_answers(&mut self, ok: bool) {
        let Some((stream, tag, handled)) = self.storing.pop_front() else {
            return;
        };
        if ok {
            self.streams.stored(stream, tag, handled);
        }
        self.feed(Input::Stored {
            stream,
            tag,
            handled,
            ok,
        });
    }

    /// The machine's own time, should it be fed now.
    fn own_now(&self) -> u64 {
        let step = self.now.wrapping_sub(self.fed_at);
        let step = if step <= u64::MAX / 2 { step } else { 0 };
        self.own + step.min((1 << 31) - 1)
    }
}

fn payload_of(input: Input<'_>) -> Option<PayloadRef> {
    match input {
        Input::Frame { frame, .. } => match frame {
            Incoming::Reply { body, .. }
            | Incoming::Push { body, .. }
            | Incoming::NamedPush { body, .. }
            | Incoming::Durable { body, .. } => Some(body),
            Incoming::Ping { token } => Some(token),
            Incoming::Attached { .. } | Incoming::Gap { .. } | Incoming::Other => None,
        },
        _ => None,
    }
}

fn covers(pattern: &str, name: &str) -> bool {
    pattern == "*" || pattern == name || (pattern == "chat*" && name.starts_with("chat"))
}
