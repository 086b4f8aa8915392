//! The committer: writes gather, share a commit, and what follows from each happens in their order, as on the committer's thread.

use super::reader::Delivered;
use super::{Place, SHARDS, Server, device_number, name, number};
use crate::event::{Answer, Event, ServerEvent};
use crate::mutant::Mutant;
use crate::network::LinkId;
use crate::stage::Stage;
use heartline_protocol::{Position, User, append_place};
use heartline_server::delivery::{Acked, look_up_unregistered, start};
use heartline_server::hub::ConnectionRef;
use heartline_server::store::{Outcome, Push, Store, StoreError, Write, WriteError};
use std::sync::Arc;

/// A write that waits.
pub(super) struct Waiting {
    write: Write,
    then: Then,
}

/// What follows from a write.
pub(super) enum Then {
    /// Nothing. If it could not be written, it is later.
    Acked(Acked),
    /// Its publisher is answered, and whoever is connected gets it.
    Answer(u32),
    /// The device is told where it begins.
    Attach(LinkId, u32, Option<Position>),
    /// A device that was logged in without a registration has one now. If it could not be written, it is later.
    Registered(Arc<str>, Arc<str>),
}

impl Server {
    /// A push reaches the server. Answers whether there was anybody to take it.
    pub fn takes(&mut self, stage: &mut Stage, n: u32, push: Push) -> bool {
        if self.is_up {
            if stage.is(Mutant::AnsweredBeforeCommit) {
                self.answers(stage, n, true);
            }
            self.submit(stage, Write::Push(push), Then::Answer(n));
        }
        self.is_up
    }

    /// Hands the acknowledgements so far to the committer.
    pub(super) fn write_acks(&mut self, stage: &mut Stage) {
        while let Some(acked) = self.acks.take() {
            self.submit(stage, acked.write(), Then::Acked(acked));
        }
        for (stream, device) in std::mem::take(&mut self.unregistered) {
            let write = Write::Register {
                stream: (&*stream).into(),
                device: (&*device).into(),
                keep: Vec::new(),
            };
            self.submit(stage, write, Then::Registered(stream, device));
        }
    }

    pub(super) fn submit(&mut self, stage: &mut Stage, write: Write, then: Then) {
        self.waiting.push(Waiting { write, then });
        if !self.is_committing {
            self.is_committing = true;
            let delay = stage.span(stage.plan.commit);
            stage.server_after(delay, self.life, ServerEvent::Commit);
        }
    }

    /// Commits what waits.
    pub(super) fn commit(&mut self, stage: &mut Stage) {
        self.is_committing = false;
        let (writes, thens): (Vec<Write>, Vec<Then>) = std::mem::take(&mut self.waiting)
            .into_iter()
            .map(|waiting| (waiting.write, waiting.then))
            .unzip();
        for then in &thens {
            if let Then::Answer(n) = then {
                stage.oracle.tries(stage.now, *n);
            }
        }
        let crashes = std::mem::take(&mut self.crashes_in_commit);
        self.is_sure(stage);
        let fails = std::mem::take(&mut self.fails_in_commit);
        if let Place::Disk(disk) = &self.place {
            if crashes || fails {
                disk.fail_after(stage.rng.below(14));
            } else if stage.is(Mutant::SyncForgotten) {
                disk.freeze();
            }
        }
        let now = self.now(stage);
        let Some(store) = &self.store else { return };
        let done = store.commit(now, &writes);
        if let (true, Place::Disk(disk)) = (fails, &self.place) {
            // It works again, as good as for ever.
            disk.fail_after(u64::MAX - 1);
        }
        if crashes {
            // It never came to an answer.
            stage.count("crashes in a commit");
            stage.tell(|| format!("server: dies in a commit of {} writes", writes.len()));
            return self.dies(stage, false);
        }
        match done {
            Ok(outcomes) => {
                for ((write, then), outcome) in writes.iter().zip(thens).zip(outcomes) {
                    self.follows(stage, write, then, outcome);
                }
                self.tell_trimmed(stage);
            }
            Err(error) => {
                stage.tell(|| format!("server: a commit failed: {error}"));
                stage.count("commits that failed");
                self.is_unsure = true;
                for (write, then) in writes.iter().zip(thens) {
                    self.fails(stage, write, then, &error);
                }
            }
        }
    }

    fn follows(
        &mut self,
        stage: &mut Stage,
        write: &Write,
        then: Then,
        outcome: Result<Outcome, WriteError>,
    ) {
        match (write, then, outcome) {
            (Write::Push(push), Then::Answer(n), Ok(Outcome::Pushed { repeated, places })) => {
                for (stream, (epoch, offset)) in push.streams.iter().zip(&places) {
                    let place = (epoch.0, offset.0);
                    stage.oracle.written(number(stream), place, n, repeated);
                    stage.tell(|| {
                        format!("server: push {n} is {offset:?} of {stream}, again {repeated}")
                    });
                    // A repeat as well: those who are attached drop it, unless its commit was told to have failed and had not.
                    self.publish(stage, stream, place, push, repeated);
                }
                if !stage.is(Mutant::AnsweredBeforeCommit) {
                    self.answers(stage, n, true);
                }
            }
            (
                Write::Register { stream, device, .. },
                Then::Attach(link, turn, position),
                Ok(Outcome::Registered {
                    stream: state,
                    device: known,
                }),
            ) => {
                stage.oracle.stands(number(stream), state.epoch.0);
                let (epoch, since) = (state.epoch.0, known.since.0);
                if let Some(device) = device_number(device) {
                    stage.oracle.registered(device, epoch, since);
                }
                let start = start(&state, known.acked, position.as_ref());
                let device: Arc<str> = (&**device).into();
                let answer = self.attached(stage, stream, &device, start);
                self.posts(stage, link, turn, answer);
            }
            (
                _,
                Then::Registered(stream, device),
                Ok(Outcome::Registered {
                    stream: state,
                    device: known,
                }),
            ) => {
                stage.oracle.stands(number(&stream), state.epoch.0);
                let (epoch, since) = (state.epoch.0, known.since.0);
                if let Some(device) = device_number(&device) {
                    stage.oracle.registered(device, epoch, since);
                }
            }
            (_, Then::Acked(_), Ok(Outcome::Done)) => {}
            (write, _, outcome) => {
                let what = format!("the store answers {outcome:?} to {write:?}");
                stage.oracle.fail(what);
            }
        }
    }

    fn fails(&mut self, stage: &mut Stage, write: &Write, then: Then, error: &StoreError) {
        match then {
            Then::Acked(acked) if !stage.is(Mutant::AcksForgotten) => self.acks.put_back(acked),
            Then::Acked(_) => {}
            Then::Answer(n) => self.answers(stage, n, false),
            Then::Registered(stream, device) => self.unregistered.push((stream, device)),
            Then::Attach(link, turn, position) => {
                stage.tell(|| format!("server: {link} cannot be registered: {error}"));
                let answer = self.without_registration(stage, write, position, error);
                if !matches!(answer, Answer::Failed) {
                    stage.count("logins without a registration");
                }
                self.posts(stage, link, turn, answer);
            }
        }
    }

    /// What a new device is told that the store cannot register now.
    fn without_registration(
        &mut self,
        stage: &mut Stage,
        write: &Write,
        position: Option<Position>,
        error: &StoreError,
    ) -> Answer {
        let (Some(store), Write::Register { stream, device, .. }) = (&self.store, write) else {
            return Answer::Failed;
        };
        if !error.is_of_the_disk() {
            return Answer::Failed;
        }
        match look_up_unregistered(store, stream, position.as_ref()) {
            Ok(start) => {
                let (epoch, at) = (start.cursor.epoch().0, start.cursor.sent().0);
                if let Some(device) = device_number(device) {
                    stage.oracle.begins_unregistered(device, epoch, at);
                }
                let device: Arc<str> = (&**device).into();
                if !stage.is(Mutant::RegistrationForgotten) {
                    self.unregistered.push(((&**stream).into(), device.clone()));
                }
                self.attached(stage, stream, &device, start)
            }
            Err(_) => Answer::Failed,
        }
    }

    /// Hands a push to the connections that are registered now: with its place to those who are attached, as it is to others.
    fn publish(
        &mut self,
        stage: &mut Stage,
        stream: &str,
        place: (u64, u32),
        push: &Push,
        repeated: bool,
    ) {
        let Ok(user) = User::parse(stream) else {
            return;
        };
        let body = String::from_utf8_lossy(&push.body);
        let with_place = append_place(&body, stream, place.1);
        for shard in 0..SHARDS {
            for is_attached in [true, false] {
                let targets: Vec<ConnectionRef> = (self.hub.connections(&user).iter())
                    .filter(|at| at.shard() == shard && at.is_reliable() == is_attached)
                    .copied()
                    .collect();
                // Others get it once only.
                if targets.is_empty() || (repeated && !is_attached) {
                    continue;
                }
                let text = if is_attached { &with_place } else { &*body };
                self.shards[shard].push_back(Delivered {
                    targets,
                    place: is_attached.then_some(place),
                    text: text.to_owned(),
                });
                let delay = stage.span(stage.plan.fanout);
                stage.server_after(delay, self.life, ServerEvent::Deliver(shard));
            }
        }
    }

    fn answers(&mut self, stage: &mut Stage, n: u32, is_stored: bool) {
        let delay = stage.span(stage.plan.wire);
        stage.after(delay, Event::PushAnswer(n, is_stored));
        if is_stored {
            stage.oracle.answered(n);
        }
    }

    /// Tells the oracle how far retention has gone.
    pub(super) fn tell_trimmed(&mut self, stage: &mut Stage) {
        let Some(store) = &self.store else { return };
        for stream in 0..stage.plan.devices.len() {
            if let Ok(Some(state)) = store.stream(&name(stream)) {
                stage.oracle.trimmed(stream, state.epoch.0, state.trimmed.0);
            }
        }
    }
}
