//! A record of a client that runs in Rust: its inputs as the calls that a boundary would have carried.
//!
//! Bounded: beyond its bound the oldest half is let go, and the life is told to be truncated.

use crate::{Argument, Call, Life, Trace, VERSION, told};
use heartline_client_core::boundary::{codes, deadline, misuse_code, numbers};
use heartline_client_core::{
    ApiMisuse, Client, Config, Epoch, EventId, Input, ListenerId, Millis, Output,
};

/// See the module's page.
#[derive(Debug)]
pub struct Recorder {
    bound: usize,
    dropped: u64,
    calls: Vec<Call>,
}

impl Recorder {
    /// A record of a client that is being made with these; it keeps `bound` calls, and half of that after each time it was full.
    pub fn new(bound: usize, config: &Config, seed: u64, now: Millis) -> Self {
        let mut recorder = Self {
            bound: bound.max(64),
            dropped: 0,
            calls: Vec::new(),
        };
        recorder.note("create", [low(seed), low(now.0)], 0);
        for (key, value) in told::options(config) {
            recorder.note("option", [key.into(), value.into()], 0);
        }
        recorder
    }

    /// An input that is about to be fed.
    pub fn input(&mut self, now: Millis, input: &Input<'_>) {
        let (text, name, arguments) = told::call(low(now.0), input);
        if let Some(text) = text {
            let text = Argument::Text(text.to_owned());
            self.push(Call("text".to_owned(), vec![text], Some(0), Vec::new()));
        }
        self.note(name, arguments, 0);
    }

    /// What came of it.
    pub fn output(&mut self, now: Millis, output: Output) {
        let (kind, [a, b, c]) = numbers(output, now);
        if let Some(Call(.., outputs)) = self.calls.last_mut() {
            outputs.extend([kind, a, b, c].map(i64::from));
        }
    }

    /// What the input was answered with: the id of a listener, or else the next deadline.
    pub fn answer(&mut self, client: &Client, now: Millis, answer: Result<Option<u32>, ApiMisuse>) {
        let answer = match answer {
            Ok(Some(id)) => id as i32,
            Ok(None) => deadline(client, now),
            Err(misuse) => misuse_code(misuse),
        };
        if let Some(Call(.., recorded, _)) = self.calls.last_mut() {
            *recorded = Some(answer.into());
        }
    }

    /// A push went the quick way ([`Client::push`]), and these heard it; `None`: it did not go.
    pub fn pushed(&mut self, epoch: Epoch, event: EventId, hearers: Option<&[ListenerId]>) {
        let answer = hearers.map_or(codes::NONE, |_| 0);
        self.note("push", [epoch.0.into(), event.0.into()], answer);
        if let Some(Call(.., outputs)) = self.calls.last_mut() {
            for hearer in hearers.unwrap_or_default() {
                outputs.extend([codes::OUT_HEARER, hearer.0, 0, 0].map(i64::from));
            }
        }
    }

    /// A name was given a number.
    pub fn interned(&mut self, name: &str, event: Option<EventId>) {
        let text = Argument::Text(name.to_owned());
        self.push(Call("text".to_owned(), vec![text], Some(0), Vec::new()));
        self.note(
            "intern",
            [],
            event.map_or(codes::NONE, |event| event.0 as i32),
        );
    }

    /// What was recorded so far.
    pub fn trace(&self) -> Trace {
        Trace {
            heartline: VERSION,
            lives: vec![Life {
                engine: "native".to_owned(),
                dropped: self.dropped,
                calls: self.calls.clone(),
            }],
        }
    }

    fn note(&mut self, name: &str, arguments: impl IntoIterator<Item = i64>, answer: i32) {
        let arguments = arguments.into_iter().map(Argument::Number).collect();
        self.push(Call(
            name.to_owned(),
            arguments,
            Some(answer.into()),
            Vec::new(),
        ));
    }

    fn push(&mut self, call: Call) {
        if self.calls.len() >= self.bound {
            let half = self.bound / 2;
            self.calls.drain(..half);
            self.dropped += half as u64;
        }
        self.calls.push(call);
    }
}

fn low(number: u64) -> i64 {
    (number as u32).into()
}
