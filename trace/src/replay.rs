//! A recorded life, lived again.

use std::fmt;

use crate::{Argument, Call, Life};
use heartline_client_core::boundary::{codes, deadline, input, misuse_code, numbers, set_option};
use heartline_client_core::{
    Client, Config, Epoch, EventId, Incoming, Input, ListenMode, Millis, PayloadRef, Ticks,
};

/// What became of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every answer and every output was the same.
    Identical,
    /// It went another way.
    Diverged(Box<Divergence>),
    /// The beginning was not kept: nothing can be compared.
    Truncated,
}

/// Where a replay went another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// The call, from 0.
    pub at: usize,
    /// As recorded.
    pub recorded: Call,
    /// As replayed.
    pub replayed: Call,
}

/// A life that was lived again.
#[derive(Debug)]
pub struct Replayed {
    /// What became of it.
    pub outcome: Outcome,
    /// How many calls and outputs were compared.
    pub calls: usize,
    /// See `calls`.
    pub outputs: usize,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            at,
            recorded,
            replayed,
        } = self;
        write!(
            f,
            "call {at} went another way:\n  recorded: {recorded:?}\n  replayed: {replayed:?}"
        )
    }
}

impl Life {
    /// Lives it again, up to the first difference.
    pub fn replay(&self) -> Replayed {
        let mut replayed = Replayed {
            outcome: Outcome::Identical,
            calls: 0,
            outputs: 0,
        };
        if self.dropped > 0 {
            replayed.outcome = Outcome::Truncated;
            return replayed;
        }
        let mut core = Core::default();
        for (at, recorded) in self.calls.iter().enumerate() {
            let again = core.call(recorded);
            if !is_same(recorded, &again) {
                let (recorded, replayed_call) = (recorded.clone(), again);
                replayed.outcome = Outcome::Diverged(Box::new(Divergence {
                    at,
                    recorded,
                    replayed: replayed_call,
                }));
                return replayed;
            }
            replayed.calls += 1;
            replayed.outputs += recorded.3.len() / 4;
        }
        replayed
    }
}

/// The low halves are what crosses the boundary: a host may show them signed or not.
fn is_same(one: &Call, other: &Call) -> bool {
    let low = |number: &i64| *number as u32;
    one.2.as_ref().map(low) == other.2.as_ref().map(low)
        && one.3.iter().map(low).eq(other.3.iter().map(low))
}

/// The module as the boundary shows it, with one client.
#[derive(Default)]
struct Core {
    client: Option<Client>,
    text: String,
    /// The low half of the clock as it was told last, and all of it here.
    told: u32,
    now: Ticks,
}

impl Core {
    fn call(&mut self, Call(name, arguments, ..): &Call) -> Call {
        let number = |at: usize| match arguments.get(at) {
            Some(Argument::Number(number)) => *number as u32,
            _ => 0,
        };
        let mut outputs = Vec::new();
        let answer = match &**name {
            "create" => self.create(number(0), number(1)),
            "option" => self.with(|client| {
                set_option(client.config_mut(), number(0), number(1));
                0
            }),
            "text" => {
                if let Some(Argument::Text(text)) = arguments.first() {
                    self.text.clone_from(text);
                }
                0
            }
            "feed" => {
                let now = self.told(number(1));
                let rest = [number(2), number(3), number(4), number(5)];
                match input(number(0), rest) {
                    Some(input) => self.handle(now, input, &mut outputs),
                    None => codes::MISUSE_NO_SUCH_INPUT,
                }
            }
            "push" => self.push(number(0), number(1), &mut outputs),
            "next_request" => self.with(|client| client.next_request_id().0 as i32),
            "listen" => self.listen(number(0), number(1), &mut outputs),
            "unlisten_pattern" => {
                let now = self.told(number(0));
                let text = std::mem::take(&mut self.text);
                let input = Input::UnlistenPattern { pattern: &text };
                let answer = self.handle(now, input, &mut outputs);
                self.text = text;
                answer
            }
            "intern" => {
                let text = std::mem::take(&mut self.text);
                let answer = self.with(|client| {
                    let event = client.intern(&text);
                    event.map_or(codes::NONE, |event| event.0 as i32)
                });
                self.text = text;
                answer
            }
            "named_push" => {
                let now = self.told(number(0));
                let text = std::mem::take(&mut self.text);
                let frame = Incoming::NamedPush {
                    event: &text,
                    body: PayloadRef(number(2)),
                };
                let epoch = Epoch(number(1));
                let answer = self.handle(now, Input::Frame { epoch, frame }, &mut outputs);
                self.text = text;
                answer
            }
            "deliver_turn" => {
                let now = self.told(number(0));
                let text = std::mem::take(&mut self.text);
                if let Some(client) = &mut self.client {
                    client.deliver_turn(&text, PayloadRef(number(1)));
                    drain(client, now, &mut outputs);
                }
                self.text = text;
                0
            }
            "discard" => {
                self.client = None;
                0
            }
            _ => codes::MISUSE_NO_SUCH_INPUT,
        };
        Call(
            name.clone(),
            arguments.clone(),
            Some(answer.into()),
            outputs,
        )
    }

    fn create(&mut self, seed: u32, now: u32) -> i32 {
        self.told = now;
        self.now = START + Ticks::from(now);
        self.client = Some(Client::new(
            Config::default(),
            seed.into(),
            Millis(self.now),
        ));
        0
    }

    /// The present in full, made of its low half. Half of the range ahead is a step back, as for a core with such a clock.
    fn told(&mut self, now: u32) -> Millis {
        let step = now.wrapping_sub(self.told);
        self.told = now;
        if step <= u32::MAX / 2 {
            self.now += Ticks::from(step);
        } else {
            self.now -= Ticks::from(step.wrapping_neg());
        }
        Millis(self.now)
    }

    fn handle(&mut self, now: Millis, input: Input<'_>, outputs: &mut Vec<i64>) -> i32 {
        let Some(client) = &mut self.client else {
            return codes::MISUSE_NO_SUCH_CLIENT;
        };
        let outcome = client.handle(now, input);
        drain(client, now, outputs);
        outcome.map_or_else(misuse_code, |()| deadline(client, now))
    }

    fn push(&mut self, epoch: u32, event: u32, outputs: &mut Vec<i64>) -> i32 {
        self.with(|client| {
            let Some(hearers) = client.push(Epoch(epoch), EventId(event)) else {
                return codes::NONE;
            };
            for hearer in hearers {
                outputs.extend([codes::OUT_HEARER, hearer.0, 0, 0].map(i64::from));
            }
            0
        })
    }

    fn listen(&mut self, now: u32, replaces: u32, outputs: &mut Vec<i64>) -> i32 {
        let now = self.told(now);
        let text = std::mem::take(&mut self.text);
        let answer = self.with(|client| {
            let listener = client.next_listener_id();
            let input = Input::Listen {
                listener,
                pattern: &text,
                mode: if replaces == 0 {
                    ListenMode::Add
                } else {
                    ListenMode::Replace
                },
            };
            let outcome = client.handle(now, input);
            drain(client, now, outputs);
            outcome.map_or_else(misuse_code, |()| listener.0 as i32)
        });
        self.text = text;
        answer
    }

    fn with(&mut self, work: impl FnOnce(&mut Client) -> i32) -> i32 {
        let client = self.client.as_mut();
        client.map_or(codes::MISUSE_NO_SUCH_CLIENT, work)
    }
}

/// Far from zero, so that a clock may be set back before it.
const START: Ticks = 1 << 40;

fn drain(client: &mut Client, now: Millis, outputs: &mut Vec<i64>) {
    while let Some(output) = client.poll_output() {
        let (kind, [a, b, c]) = numbers(output, now);
        outputs.extend([kind, a, b, c].map(i64::from));
    }
}
