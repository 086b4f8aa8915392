//! The reader's thread and the shards' deliveries: one looks into the store for one connection after another, and what it found reaches the
//! shard later; meanwhile deliveries go their own way.

use super::writer::Then;
use super::{Question, Server, device_number};
use crate::event::{Answer, ServerEvent};
use crate::mutant::Mutant;
use crate::network::LinkId;
use crate::stage::Stage;
use heartline_protocol::{CloseCode, GapReason, ServerFrame, User, decode_server, encode_gap};
use heartline_server::delivery::{Ask, Live, Missing, Start, look_up, read_page, tell_start};
use heartline_server::hub::ConnectionRef;
use heartline_server::store::{Epoch, Offset, Store, StoreError, Write};
use std::sync::Arc;

/// A push on its way to connections of one shard.
pub(super) struct Delivered {
    /// Who was registered when it was stored.
    pub targets: Vec<ConnectionRef>,
    /// Where it stands; `None`: the copy for those who are not attached.
    pub place: Option<(u64, u32)>,
    /// The frame.
    pub text: String,
}

impl Server {
    /// Looks into the store for the next question.
    pub(super) fn look(&mut self, stage: &mut Stage) {
        self.is_looking = false;
        let Some(question) = self.questions.pop_front() else {
            return;
        };
        if !self.questions.is_empty() {
            self.is_looking = true;
            let delay = stage.span(stage.plan.reader);
            stage.server_after(delay, self.life, ServerEvent::Look);
        }
        match self.answer(stage, &question) {
            Ok(Some(answer)) => self.posts(stage, question.link, question.turn, answer),
            Ok(None) => {
                let position = match question.ask {
                    Ask::Attach(position) => position,
                    Ask::AttachAnew(position) => Some(position),
                    Ask::Page(..) => return,
                };
                let write = Write::Register {
                    stream: question.stream.as_str().into(),
                    device: (&*question.device).into(),
                    keep: Vec::new(),
                };
                let then = Then::Attach(question.link, question.turn, position);
                self.submit(stage, write, then);
            }
            Err(error) => {
                stage.tell(|| format!("server: the store did not answer: {error}"));
                self.posts(stage, question.link, question.turn, Answer::Failed);
            }
        }
    }

    /// `None`: the device must be registered first.
    fn answer(
        &mut self,
        stage: &mut Stage,
        question: &Question,
    ) -> Result<Option<Answer>, StoreError> {
        let now = self.now(stage);
        let Some(store) = &self.store else {
            return Ok(Some(Answer::Failed));
        };
        let stream = &question.stream;
        match &question.ask {
            ask @ (Ask::Attach(_) | Ask::AttachAnew(_)) => {
                let (mut position, is_said) = match ask {
                    Ask::AttachAnew(position) => (Some(*position), false),
                    Ask::Attach(position) => (*position, true),
                    Ask::Page(..) => (None, false),
                };
                if let (true, Some(said)) = (stage.is(Mutant::EpochNotCompared), &mut position)
                    && let Some(state) = store.stream(stream)?
                {
                    said.epoch = state.epoch.0;
                }
                let start = look_up(store, stream, &question.device, position.as_ref())?;
                // It may be there although its commit was told to have failed.
                if let (Some(state), Some(device)) = (
                    store.stream(stream)?,
                    store.device(stream, &question.device)?,
                ) {
                    let (epoch, since) = (state.epoch.0, device.since.0);
                    if let Some(number) = device_number(&question.device) {
                        stage.oracle.registered(number, epoch, since);
                    }
                }
                Ok(start.map(|mut start| {
                    start.handled = start.handled.filter(|_| is_said);
                    self.attached(stage, stream, &question.device, start)
                }))
            }
            Ask::Page(after, limits) => {
                let mut texts = Vec::new();
                let facts = read_page(store, stream, *after, *limits, now, |text| {
                    texts.push(text.to_owned());
                })?;
                Ok(Some(facts.map_or(Answer::Failed, |facts| {
                    Answer::Page(facts, texts)
                })))
            }
        }
    }

    /// The answer to a device that begins here.
    pub(super) fn attached(
        &mut self,
        stage: &Stage,
        stream: &str,
        device: &Arc<str>,
        mut start: Start,
    ) -> Answer {
        let epoch = start.cursor.epoch();
        if let Ok(user) = User::parse(stream) {
            let handled = start.handled.unwrap_or_default();
            self.acks.note(&user, device, epoch, handled);
        }
        start.gap = start.gap.map(|gap| told(stage, gap));
        let mut texts = Vec::new();
        tell_start(stream, &start, |text| texts.push(text.to_owned()));
        Answer::Attached(start, texts)
    }

    /// Sends an answer to its connection's shard.
    pub(super) fn posts(&mut self, stage: &mut Stage, link: LinkId, turn: u32, answer: Answer) {
        let delay = stage.span(stage.plan.reader);
        stage.server_after(delay, self.life, ServerEvent::Answer(link, turn, answer));
    }

    /// An answer has reached the connection's shard.
    pub(super) fn answered(&mut self, stage: &mut Stage, link: LinkId, turn: u32, answer: Answer) {
        let Some(connection) = self.connections.get_mut(&link) else {
            return;
        };
        // An answer to an earlier login is of no use.
        let Some(subscription) = connection
            .subscription
            .as_mut()
            .filter(|subscription| subscription.turn() == turn)
        else {
            return;
        };
        let user = subscription.stream().clone();
        match answer {
            Answer::Failed => {
                stage.count("questions that failed");
                return self.close(stage, link, CloseCode::InternalError, None);
            }
            Answer::Attached(start, texts) => {
                let answer = subscription.attached(start);
                if stage.is(Mutant::SubscribeAfterRead) {
                    // Of a new epoch: it is registered already.
                    self.hub.leave(connection.at, &user);
                    let _ = self.hub.log_in(connection.at, None, user);
                }
                for text in answer.into_iter().chain(texts) {
                    if !(stage.is(Mutant::GapUntold) && text.contains("\"retention\"")) {
                        self.send(stage, link, text);
                    }
                }
            }
            Answer::Page(facts, texts) => match subscription.page(&facts) {
                Err(_) => return self.anew(stage, link),
                Ok(missing) => {
                    stage.count("pages");
                    if let Some(missing) = missing.filter(|_| !stage.is(Mutant::GapUntold)) {
                        let (missing, reason) = told(stage, (missing, GapReason::Retention));
                        let (from, to) = (missing.from.0, missing.to.0);
                        let stream = user.as_str();
                        let text = encode_gap(stream, facts.epoch.0, from, to, reason);
                        self.send(stage, link, text);
                    }
                    for text in texts {
                        self.send_stored(stage, link, text);
                    }
                }
            },
        }
        self.pump(stage, link);
    }

    /// Makes the next delivery of a shard.
    pub(super) fn deliver(&mut self, stage: &mut Stage, shard: usize) {
        let Some(delivered) = self.shards[shard].pop_front() else {
            return;
        };
        for target in delivered.targets {
            let link = target.slot() as LinkId;
            let Some(connection) = self.connections.get_mut(&link) else {
                continue;
            };
            if connection.at.generation() != target.generation()
                && !stage.is(Mutant::LoginNotCompared)
            {
                stage.count("deliveries for a former login");
                continue;
            }
            let (subscription, (epoch, offset)) =
                match (connection.subscription.as_mut(), delivered.place) {
                    (Some(subscription), Some(place)) => (subscription, place),
                    // It gets this with its place.
                    (Some(_), None) => continue,
                    (None, _) => {
                        stage.count("sent to guests");
                        self.send(stage, link, delivered.text.clone());
                        continue;
                    }
                };
            if stage.is(Mutant::DeafWhileAttaching) && subscription.cursor().is_none() {
                continue;
            }
            match subscription.live(Epoch(epoch), Offset(offset), delivered.text.len()) {
                Live::Send => {
                    stage.count("sent live");
                    self.send_stored(stage, link, delivered.text.clone());
                }
                Live::Later | Live::Stale => {}
                Live::Foreign => self.anew(stage, link),
            }
            self.pump(stage, link);
        }
    }

    fn send_stored(&mut self, stage: &mut Stage, link: LinkId, text: String) {
        if let Ok(ServerFrame::Push {
            place: Some((_, offset)),
            ..
        }) = decode_server(text.as_bytes())
        {
            stage.oracle.flies(link, offset);
        }
        self.send(stage, link, text);
    }
}

/// A gap as it is told: true, but for the mistakes that move its end.
fn told(stage: &Stage, (mut missing, reason): (Missing, GapReason)) -> (Missing, GapReason) {
    if stage.is(Mutant::EpochGapTooLong) && reason == GapReason::Epoch {
        missing.to.0 += 1;
    }
    if stage.is(Mutant::RetentionGapTooShort) && reason == GapReason::Retention {
        missing.to.0 -= 1;
    }
    (missing, reason)
}
