//! The backend: publishes, and asks again under the same id until it is answered.

use crate::event::Event;
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::oracle::Published;
use crate::server::{Server, name};
use crate::stage::Stage;
use bytes::Bytes;
use heartline_server::store::Push;

/// See the module's page.
#[derive(Debug, Default)]
pub struct Publisher {
    pushes: Vec<Draft>,
}

#[derive(Debug)]
struct Draft {
    push: Push,
    tries: u32,
    is_answered: bool,
}

/// How long an answer is waited for.
const OVERDUE_MS: u64 = 2_500;
/// Pushes of one run; beyond it nobody publishes.
const MAX_PUSHES: usize = 3_000;
/// How many pushes a flood has.
const FLOOD: (u64, u64) = (200, 700);
/// How long after the faults have ended somebody still publishes.
const EPILOGUE_MS: u64 = 2_500;
/// How long the last logins and the last pushes go side by side.
const FAREWELL_MS: u64 = 900;

impl Publisher {
    /// Publishes, and will again.
    pub fn publish(&mut self, stage: &mut Stage) {
        let horizon = stage.plan.horizon_ms;
        let until = match stage.plan.farewell {
            true => horizon + EPILOGUE_MS,
            false => horizon - horizon / 6,
        };
        if stage.now > until || self.pushes.len() >= MAX_PUSHES {
            if stage.plan.farewell {
                self.say_farewell(stage);
            }
            return;
        }
        let next = stage.span(stage.plan.push_every);
        stage.after(next, Event::Publish);
        let is_flood = stage.rng.chance(stage.plan.floods);
        let count = if is_flood { stage.rng.within(FLOOD) } else { 1 };
        let to = stage.rng.below(stage.plan.devices.len() as u64) as usize;
        for _ in 0..count {
            let n = self.draft(stage, to, is_flood);
            let delay = if is_flood {
                1
            } else {
                stage.span(stage.plan.wire)
            };
            stage.after(delay, Event::PushArrives(n));
        }
    }

    /// The last push to each user, while everybody logs in once more: nothing comes after it that would bring to light what is missing.
    fn say_farewell(&mut self, stage: &mut Stage) {
        for to in 0..stage.plan.devices.len() {
            let n = self.draft(stage, to, true);
            let delay = stage.rng.below(FAREWELL_MS);
            stage.after(delay, Event::PushArrives(n));
        }
        let delay = stage.rng.below(FAREWELL_MS / 2);
        stage.after(delay, Event::Farewell);
    }

    fn draft(&mut self, stage: &mut Stage, to: usize, is_plain: bool) -> u32 {
        let n = self.pushes.len() as u32;
        let mut streams = vec![to];
        if !is_plain && stage.rng.chance(20) {
            let users = 0..stage.plan.devices.len();
            streams.extend(users.filter(|user| *user != to));
        }
        let is_large = !is_plain && stage.rng.chance(4);
        let pad = if is_large {
            stage.rng.within((2_000, 40_000))
        } else {
            stage.rng.below(60)
        };
        let body = format!(
            r#"{{"event":"chat{}","n":{n},"pad":"{}","type":"app"}}"#,
            n % 3,
            "x".repeat(pad as usize)
        );
        let ttl_ms = (!is_plain && stage.rng.chance(12)).then(|| stage.rng.within((1, 6_000)));
        let key = (!is_plain && stage.rng.chance(15)).then(|| stage.rng.below(2) as u8);
        stage.oracle.published(Published {
            streams: streams.clone(),
            ttl_ms,
            key,
            tried_ms: 0,
            first_tried_ms: None,
            answered: false,
        });
        let push = Push {
            id: format!("push-{n}").into(),
            fingerprint: u64::from(n),
            streams: streams
                .into_iter()
                .map(|stream| name(stream).into())
                .collect(),
            body: Bytes::from(body),
            ttl_ms,
            collapse_key: key.map(|key| format!("key-{key}").into()),
            undelivered_ms: None,
        };
        self.pushes.push(Draft {
            push,
            tries: 0,
            is_answered: false,
        });
        n
    }

    /// A push, or its retry, reaches the server, if it is there.
    pub fn arrives(&mut self, stage: &mut Stage, server: &mut Server, n: u32) {
        let draft = &mut self.pushes[n as usize];
        draft.tries += 1;
        let mut push = draft.push.clone();
        if stage.is(Mutant::ForgottenIdempotency) {
            push.id = format!("push-{n}-{}", draft.tries).into();
        }
        let tries = draft.tries;
        let is_taken = server.takes(stage, n, push);
        let wait = if is_taken { OVERDUE_MS } else { 300 };
        stage.after(wait, Event::PushOverdue(n, tries));
    }

    /// The server's answer.
    pub fn answered(&mut self, stage: &mut Stage, n: u32, is_stored: bool) {
        if stage.strikes(Fault::LostAnswer, 30) {
            return;
        }
        self.pushes[n as usize].is_answered |= is_stored;
    }

    /// No answer came: once more.
    pub fn overdue(&mut self, stage: &mut Stage, n: u32, tries: u32) {
        let draft = &self.pushes[n as usize];
        if !draft.is_answered && draft.tries == tries {
            stage.after(0, Event::PushArrives(n));
        }
    }

    /// A push that is still not answered.
    pub fn waits_for(&self) -> Option<String> {
        let waits = self.pushes.iter().position(|draft| !draft.is_answered);
        waits.map(|n| format!("push {n} is not answered"))
    }
}

/// The number of a push, in its body.
pub fn number_of(body: &[u8]) -> u32 {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    body["n"].as_u64().map_or(u32::MAX, |n| n as u32)
}
