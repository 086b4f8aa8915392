//! The one helper of the stories: a small script is played to a client, and what the client decides is
//! written down beneath each step.
//!
//! Steps, separated by `;`:
//!
//! ```text
//! start  stop  disconnect  destroy  identity  logout
//! opened  failed  closed [CODE] [retry MS]          news of the latest socket, or of another: `closed @1`
//! creds  no creds  creds #ID                        the provider's answer to the latest question
//! reply ok  reply error  reply #ID ok               to the latest frame that expects one
//! ping  garbage  push NAME  push interned NAME      other frames; also with `@EPOCH`
//! send failed  send lost  send failed #ID           of the latest frame sent: never left, fate unknown
//! request [MS] [queue] [key=N] [bytes=N] [early] [again]    cancel #ID
//! on PATTERN  on! PATTERN  off #LISTENER  off PATTERN
//! online  offline  show  hide
//! position S TAG N                                  what the storage remembers of stream S
//! at S TAG N  gap S TAG FROM TO [epoch]              what the server says of it; its messages: `durable S N`
//! storage fails  storage works  storage lags         what becomes of positions from now on
//! stored  not stored                                 a storage that lags answers what it was asked first
//! forget S                                           its number is free for another
//! handled  failed handling  handled #TURN            the app's word on the latest turn
//! +25s  +300ms      time passes, the timer rings when it should
//! until open        time passes until the next dial; `until credentials`: until the next login begins
//! sleep 1h          time passes, no timer rings, then one does
//! late 30s          time passes, and the next step comes before any timer rings
//! clock back 5s     the driver's clock jumps backwards
//! ready             start, log in, and keep silent about it
//! ```
//!
//! Every script is also held to two promises: no request settles twice, and every payload reference is
//! answered exactly once.

use std::collections::{HashMap, VecDeque};

use expect_test::Expect;
use heartline_client_core::*;

/// Plays `script` to a client with default settings and compares what happened.
pub fn check(script: &str, expected: Expect) {
    check_with(Config::default(), script, expected);
}

/// The same with settings of one's own.
pub fn check_with(config: Config, script: &str, expected: Expect) {
    expected.assert_eq(&play(config, script));
}

/// Plays `script` and returns the story.
pub fn play(config: Config, script: &str) -> String {
    play_aged(config, script, 0)
}

/// The same to a client that was made so long before.
pub fn play_aged(config: Config, script: &str, age_ms: u64) -> String {
    let mut stage = Stage::new(config, age_ms);
    for step in script.split(';').map(str::trim).filter(|s| !s.is_empty()) {
        stage.step(step);
    }
    stage.finish()
}

struct Stage {
    client: Client,
    now: u64,
    story: String,
    /// When the present passing of time began.
    passing_since: Option<u64>,
    epoch: Epoch,
    asked: RequestId,
    last_sent: RequestId,
    turn: (StreamId, u32),
    storage: String,
    /// What a storage that lags was asked.
    asked_to_store: VecDeque<(StreamId, EpochTag, u32)>,
    refs: u32,
    /// How often each reference was answered.
    answers: HashMap<u32, u32>,
    settled: HashMap<RequestId, u32>,
}

impl Stage {
    fn new(config: Config, age_ms: u64) -> Self {
        let now = 2_000_000_000;
        let mut client = Client::new(config, 42, Millis(now - age_ms));
        client.handle(Millis(now), Input::Timeout).unwrap();
        Self {
            client,
            now,
            story: String::new(),
            passing_since: None,
            epoch: Epoch(0),
            asked: RequestId(0),
            last_sent: RequestId(0),
            turn: (StreamId(0), 0),
            storage: "works".to_owned(),
            asked_to_store: VecDeque::new(),
            refs: 0,
            answers: HashMap::new(),
            settled: HashMap::new(),
        }
    }

    fn step(&mut self, step: &str) {
        if step == "ready" {
            let told = self.story.len();
            for step in ["start", "identity", "opened", "creds", "reply ok"] {
                self.step(step);
            }
            assert_eq!(self.client.phase(), Phase::Ready);
            self.story.truncate(told);
            return;
        }
        self.line(step);
        if let Some(how) = step.strip_prefix("storage ") {
            how.clone_into(&mut self.storage);
            return;
        }
        if let Some(time) = step.strip_prefix("late ") {
            self.now += millis(time);
            return;
        }
        if let Some(time) = step.strip_prefix('+') {
            return self.pass(millis(time));
        }
        if let Some(kind) = step.strip_prefix("until ") {
            return self.pass_until(kind);
        }
        if let Some(time) = step.strip_prefix("sleep ") {
            self.now += millis(time);
            return self.feed(Input::Timeout);
        }
        if let Some(time) = step.strip_prefix("clock back ") {
            self.now -= millis(time);
            return self.feed(Input::Timeout);
        }
        let mut words: Vec<&str> = step.split_whitespace().collect();
        let mut epoch = self.epoch;
        let mut id = None;
        words.retain(
            |word| match (word.strip_prefix('@'), word.strip_prefix('#')) {
                (Some(n), _) => {
                    epoch = Epoch(n.parse().unwrap());
                    false
                }
                (_, Some(n)) => {
                    id = Some(n.parse().unwrap());
                    false
                }
                _ => true,
            },
        );
        let request = RequestId(id.unwrap_or(0));
        let latest = if id.is_some() {
            request
        } else {
            self.last_sent
        };
        let asked = if id.is_some() { request } else { self.asked };
        let frame = |frame| Input::Frame { epoch, frame };
        let input = match words[..] {
            ["start"] => Input::Start,
            ["stop"] => Input::Stop,
            ["disconnect"] => Input::Disconnect,
            ["destroy"] => Input::Destroy,
            ["identity"] => Input::Identity { present: true },
            ["logout"] => Input::Identity { present: false },
            ["opened"] => Input::Opened { epoch },
            ["failed"] => Input::Failed { epoch },
            ["closed", ref rest @ ..] => closed(epoch, rest),
            ["creds"] => Input::Credentials {
                id: asked,
                ready: true,
            },
            ["no", "creds"] => Input::Credentials {
                id: asked,
                ready: false,
            },
            ["reply", how] => frame(Incoming::Reply {
                id: latest,
                ok: how == "ok",
                body: self.payload(),
            }),
            ["ping"] => frame(Incoming::Ping {
                token: self.payload(),
            }),
            ["garbage"] => frame(Incoming::Other),
            ["push", "interned", name] => {
                let event = self.client.intern(name).unwrap();
                frame(Incoming::Push {
                    event,
                    body: self.payload(),
                })
            }
            ["push", event] => frame(Incoming::NamedPush {
                event,
                body: self.payload(),
            }),
            ["position", stream, tag, handled] => Input::Position {
                stream: StreamId(number(stream)),
                tag: EpochTag(number(tag)),
                handled: number(handled),
            },
            ["at", stream, tag, offset] => frame(Incoming::Attached {
                stream: StreamId(number(stream)),
                tag: EpochTag(number(tag)),
                offset: number(offset),
            }),
            ["gap", stream, tag, from, to, ref reason @ ..] => frame(Incoming::Gap {
                stream: StreamId(number(stream)),
                tag: EpochTag(number(tag)),
                from: number(from),
                to: number(to),
                reason: if reason.is_empty() {
                    GapReason::Retention
                } else {
                    GapReason::Epoch
                },
            }),
            ["durable", stream, offset] => frame(Incoming::Durable {
                stream: StreamId(number(stream)),
                offset: number(offset),
                body: self.payload(),
            }),
            ["forget", stream] => Input::Forget {
                stream: StreamId(number(stream)),
            },
            ["handled"] => self.handled(id, true),
            ["failed", "handling"] => self.handled(id, false),
            ["stored"] => self.stored(true),
            ["not", "stored"] => self.stored(false),
            ["send", "failed"] => Input::SendFailed {
                epoch,
                id: latest,
                outcome: SendOutcome::NotSent,
            },
            ["send", "lost"] => Input::SendFailed {
                epoch,
                id: latest,
                outcome: SendOutcome::Unknown,
            },
            ["request", ref rest @ ..] => Input::Request {
                id: self.client.next_request_id(),
                options: options(rest),
            },
            ["cancel"] => Input::Cancel { id: request },
            ["on", pattern] => self.listen(pattern, ListenMode::Add),
            ["on!", pattern] => self.listen(pattern, ListenMode::Replace),
            ["off"] => Input::Unlisten {
                listener: ListenerId(request.0 as u32),
            },
            ["off", pattern] => Input::UnlistenPattern { pattern },
            ["online"] => Input::Network { online: true },
            ["offline"] => Input::Network { online: false },
            ["show"] => Input::Visibility { visible: true },
            ["hide"] => Input::Visibility { visible: false },
            _ => panic!("no such step: {step}"),
        };
        self.feed(input);
    }

    fn handled(&self, turn: Option<usize>, ok: bool) -> Input<'static> {
        Input::Handled {
            stream: self.turn.0,
            turn: turn.map_or(self.turn.1, |turn| turn as u32),
            ok,
        }
    }

    fn stored(&mut self, ok: bool) -> Input<'static> {
        let (stream, tag, handled) = self.asked_to_store.pop_front().expect("a question");
        Input::Stored {
            stream,
            tag,
            handled,
            ok,
        }
    }

    fn listen<'a>(&self, pattern: &'a str, mode: ListenMode) -> Input<'a> {
        Input::Listen {
            listener: self.client.next_listener_id(),
            pattern,
            mode,
        }
    }

    fn payload(&mut self) -> PayloadRef {
        self.refs += 1;
        self.answers.insert(self.refs, 0);
        PayloadRef(self.refs)
    }

    /// Lets time pass with an honest timer, and a server that is heard of, until the client decides something of
    /// this kind.
    fn pass_until(&mut self, kind: &str) {
        let (start, told) = (self.now, self.story.len());
        self.passing_since = Some(start);
        while !self.story[told..].contains(&format!(": {kind} ")) {
            let at = self.client.poll_timeout().expect("no timer to wait for");
            assert!(at.0 < start + 600_000, "no {kind} within ten minutes");
            self.now = at.0;
            self.feed(Input::Timeout);
            self.feed(Input::Frame {
                epoch: self.epoch,
                frame: Incoming::Other,
            });
        }
        self.passing_since = None;
    }

    /// Lets time pass with an honest timer.
    fn pass(&mut self, ms: u64) {
        let end = self.now + ms;
        self.passing_since = Some(self.now);
        while let Some(at) = self.client.poll_timeout().filter(|at| at.0 <= end) {
            self.now = self.now.max(at.0);
            self.feed(Input::Timeout);
        }
        self.now = end;
        self.passing_since = None;
    }

    fn feed(&mut self, input: Input<'_>) {
        if let Err(misuse) = self.client.handle(Millis(self.now), input) {
            self.line(&format!("  misuse: {misuse:?}"));
            if let Input::Frame { .. } = input {
                self.answers.remove(&self.refs);
            }
        }
        while let Some(output) = self.client.poll_output() {
            self.note(output);
            if let Output::Persist {
                stream,
                tag,
                handled,
            } = output
            {
                self.asked_to_store.push_back((stream, tag, handled));
                if self.storage != "lags" {
                    // As an honest driver does.
                    let input = self.stored(self.storage == "works");
                    self.client.handle(Millis(self.now), input).unwrap();
                }
            }
        }
        let timeout = self.client.poll_timeout();
        assert_eq!(
            timeout.is_some(),
            self.client.next_timeout_reason().is_some()
        );
    }

    fn note(&mut self, output: Output) {
        let text = match output {
            Output::Open { epoch } => {
                self.epoch = epoch;
                format!("open @{}", epoch.0)
            }
            Output::Close { epoch, code } => format!("close @{} {code}", epoch.0),
            Output::Credentials { id, .. } => {
                self.asked = id;
                format!("credentials #{}?", id.0)
            }
            Output::Send { epoch, message } => {
                assert_eq!(epoch, self.epoch);
                self.sent(message)
            }
            Output::Settle { id, result } => self.settled(id, result),
            Output::Deliver { listener, body } => {
                format!("deliver p{} to listener {}", body.0, listener.0)
            }
            Output::Release { body } => format!("release {}", self.answered(body)),
            Output::Turn { stream, turn, body } => {
                self.turn = (stream, turn);
                let what = body.map_or("the gap".to_owned(), |body| format!("p{}", body.0));
                format!("turn {turn} of stream {}: {what}", stream.0)
            }
            Output::Persist {
                stream,
                tag,
                handled,
            } => format!(
                "persist stream {} at {handled} of epoch {}",
                stream.0, tag.0
            ),
            Output::Stand { stream, position } => {
                let Position {
                    tag,
                    received,
                    handled,
                } = position;
                format!(
                    "stand on stream {} at {received}/{handled} of epoch {}",
                    stream.0, tag.0
                )
            }
            Output::Event(event) => self.event(event),
        };
        match self.passing_since {
            Some(start) => self.line(&format!("  +{}ms: {text}", self.now - start)),
            None => self.line(&format!("  {text}")),
        }
    }

    fn sent(&mut self, message: Outgoing) -> String {
        match message {
            Outgoing::Pong { token } => return format!("send pong {}", self.answered(token)),
            Outgoing::Ack { stream, offset } => {
                return format!("send ack of stream {} to {offset}", stream.0);
            }
            Outgoing::Park => return "send park".to_owned(),
            Outgoing::Show => return "send show".to_owned(),
            Outgoing::Login { id } | Outgoing::Ping { id } | Outgoing::Request { id } => {
                self.last_sent = id
            }
        }
        let kind = match message {
            Outgoing::Login { .. } => "login",
            Outgoing::Ping { .. } => "ping",
            _ => "request",
        };
        format!("send {kind} #{}", self.last_sent.0)
    }

    fn settled(&mut self, id: RequestId, result: Result<PayloadRef, RequestError>) -> String {
        *self.settled.entry(id).or_default() += 1;
        let fate = match result {
            Ok(body) => format!("ok {}", self.answered(body)),
            Err(RequestError::Refused { body }) => format!("refused {}", self.answered(body)),
            Err(other) => format!("{other:?}"),
        };
        format!("settle #{}: {fate}", id.0)
    }

    fn event(&mut self, event: ClientEvent) -> String {
        match event {
            ClientEvent::Phase(Phase::Waiting {
                attempt,
                until: Some(until),
                reason,
            }) => {
                format!(
                    "= waiting {}ms, attempt {attempt}, {reason:?}",
                    until.0 - self.now
                )
            }
            ClientEvent::Phase(Phase::Waiting {
                attempt,
                until: None,
                reason,
            }) => {
                format!("= waiting, attempt {attempt}, {reason:?}")
            }
            ClientEvent::Phase(phase) => format!("= {phase:?}"),
            ClientEvent::LoggedIn { body, again } => {
                format!(
                    "logged in{} {}",
                    if again { " again" } else { "" },
                    self.answered(body)
                )
            }
            ClientEvent::LoginRefused { body } => format!("login refused {}", self.answered(body)),
            ClientEvent::Disconnected { reason } => format!("disconnected: {reason:?}"),
            ClientEvent::Gap {
                stream,
                tag,
                from,
                to,
                reason,
            } => format!(
                "gap in stream {}, epoch {}: {from} to {to}, {reason:?}",
                stream.0, tag.0
            ),
            ClientEvent::Poisoned { stream, offset, .. } => {
                format!("poisoned: {offset} of stream {}", stream.0)
            }
            ClientEvent::OutboxDropped { id, reason } => format!("dropped #{}: {reason:?}", id.0),
        }
    }

    fn answered(&mut self, body: PayloadRef) -> String {
        *self
            .answers
            .get_mut(&body.0)
            .expect("an answer to a reference that was never given") += 1;
        format!("p{}", body.0)
    }

    fn line(&mut self, text: &str) {
        self.story.push_str(text);
        self.story.push('\n');
    }

    fn finish(self) -> String {
        for (body, answers) in self.answers {
            assert_eq!(
                answers, 1,
                "p{body} was answered {answers} times in\n{}",
                self.story
            );
        }
        for (id, times) in self.settled {
            assert_eq!(
                times, 1,
                "#{} settled {times} times in\n{}",
                id.0, self.story
            );
        }
        self.story
    }
}

fn number(text: &str) -> u32 {
    text.parse().unwrap()
}

fn closed(epoch: Epoch, words: &[&str]) -> Input<'static> {
    let mut code = None;
    let mut retry_after_ms = None;
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        if word == "retry" {
            retry_after_ms = words.next().map(|ms| ms.parse().unwrap());
        } else {
            code = Some(word.parse().unwrap());
        }
    }
    Input::Closed {
        epoch,
        code,
        retry_after_ms,
    }
}

fn options(words: &[&str]) -> RequestOptions {
    let mut options = RequestOptions {
        timeout_ms: 0,
        unsent: Unsent::Fail,
        before_login: false,
        idempotent: false,
        bytes: 0,
    };
    for word in words {
        match word.split_once('=') {
            Some(("key", n)) => {
                options.unsent = Unsent::Queue {
                    key: n.parse().unwrap(),
                }
            }
            Some(("bytes", n)) => options.bytes = n.parse().unwrap(),
            _ if *word == "queue" => options.unsent = Unsent::Queue { key: 0 },
            _ if *word == "again" => options.idempotent = true,
            _ if *word == "early" => options.before_login = true,
            _ => options.timeout_ms = millis(word) as u32,
        }
    }
    options
}

fn millis(text: &str) -> u64 {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        other => panic!("no such unit: {other}"),
    };
    digits.parse::<u64>().unwrap() * unit
}
