//! The thread that looks into the store for the shards: where a device begins, and pages of what it missed. Whose question is next is
//! `questions`'; each is bounded, so that one who missed much takes turns with those who missed little.

use super::attach::{Start, start};
use super::cursor::PageFacts;
use super::desk::Shared;
use super::look::{look_up, read_page, tell_start};
use super::questions::Questions;
use super::registration;
use super::subscription::Ask;
use crate::hub::ConnectionRef;
use crate::logs::LineLimit;
use crate::net::{Command, frame};
use crate::store::{Offset, Outcome, PageLimits, StoreError, SubmitError};
use bytes::Bytes;
use heartline_protocol::{Position, User};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

/// Who asks: one connection, as attached to its stream. The answer comes back with it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The connection.
    pub at: ConnectionRef,
    /// Which login of the connection it was: the answer to an earlier one is of no use.
    pub turn: u32,
    /// The stream.
    pub stream: User,
    /// The device.
    pub device: Arc<str>,
}

/// An answer, for the connection's shard.
#[derive(Debug)]
pub struct Ready {
    /// Who asked.
    pub subject: Subject,
    /// What came of it.
    pub answer: Answer,
}

/// What the store said.
#[derive(Debug)]
pub enum Answer {
    /// The device begins here; the frames tell it so.
    Attached(Start, Bytes),
    /// A page, as frames to be sent in one go.
    Page(PageFacts, Bytes),
    /// The store failed. The reason was logged.
    Failed,
    /// The user has registered too many new devices lately.
    TooManyDevices,
}

/// The questions that wait, for all threads.
#[derive(Debug)]
pub(super) struct ReadQueue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
    started: Instant,
}

#[derive(Debug, Default)]
struct Waiting {
    questions: Questions,
    has_ended: bool,
}

/// A registration under way. When it is dropped, whatever came of it, the user's other questions have their turn again.
struct Registration {
    shared: Arc<Shared>,
    user: User,
}

impl Default for ReadQueue {
    fn default() -> Self {
        Self {
            waiting: Mutex::default(),
            bell: Condvar::new(),
            started: Instant::now(),
        }
    }
}

impl ReadQueue {
    /// See [`Questions::ask`].
    pub fn ask(&self, subject: Subject, ask: Ask) {
        self.lock().questions.ask(subject, ask);
        self.bell.notify_one();
    }

    /// See [`Questions::withdraw`].
    pub fn withdraw(&self, subject: &Subject) {
        self.lock().questions.withdraw(subject);
    }

    /// No more answers.
    pub fn end(&self) {
        self.lock().has_ended = true;
        self.bell.notify_all();
    }

    fn next(&self) -> Option<(Subject, Ask)> {
        let mut waiting = self.lock();
        loop {
            if waiting.has_ended {
                return None;
            }
            if let Some(question) = waiting.questions.next() {
                return Some(question);
            }
            waiting = self
                .bell
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn may_register(&self, user: &User) -> bool {
        let now_ms = self.started.elapsed().as_millis() as u64;
        self.lock().questions.may_register(user, now_ms)
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change is whole before anything that could panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let queue = &self.shared.questions;
        queue.lock().questions.registered(&self.user);
        queue.bell.notify_one();
    }
}

/// Answers questions on a thread of its own until they end.
pub(super) fn spawn(shared: &Arc<Shared>) -> std::io::Result<JoinHandle<()>> {
    let shared = shared.clone();
    std::thread::Builder::new()
        .name("store-reader".into())
        .spawn(move || {
            while let Some((subject, ask)) = shared.questions.next() {
                // A panic would be a bug of ours; the others who ask must get their answers all the same.
                let answered = catch_unwind(AssertUnwindSafe(|| answer(&shared, &subject, ask)));
                if answered.is_err() {
                    fail(&shared, subject, &"the answer panicked");
                }
            }
        })
}

fn answer(shared: &Arc<Shared>, subject: &Subject, ask: Ask) {
    let result = match ask {
        Ask::Attach(position) => attach(shared, subject, position, true),
        Ask::AttachAnew(position) => attach(shared, subject, Some(position), false),
        Ask::Page(after, limits) => page(shared, subject, after, limits).map(Some),
    };
    match result {
        Ok(Some(answer)) => post(shared, subject.clone(), answer),
        Ok(None) => {}
        Err(error) => fail(shared, subject.clone(), &error),
    }
}

fn post(shared: &Shared, subject: Subject, answer: Answer) {
    let shard = subject.at.shard();
    shared
        .hub
        .shard(shard)
        .post(Command::Ready(Box::new(Ready { subject, answer })));
}

fn fail(shared: &Shared, subject: Subject, error: &dyn std::fmt::Display) {
    static LINES: LineLimit = LineLimit::new();
    if let Some(suppressed) = LINES.admit() {
        let stream = &subject.stream;
        tracing::error!(%stream, %error, suppressed, "the store did not answer; a device is sent away to come back");
    }
    post(shared, subject, Answer::Failed);
}

/// `None`: the stream or the device is new, and the answer comes once that is written. `is_said`: the position is the device's word, so it
/// acknowledges what it names as handled.
fn attach(
    shared: &Arc<Shared>,
    subject: &Subject,
    position: Option<Position>,
    is_said: bool,
) -> Result<Option<Answer>, StoreError> {
    let (stream, device) = (subject.stream.as_str(), &*subject.device);
    if let Some(start) = look_up(&*shared.store, stream, device, position.as_ref())? {
        return Ok(Some(attached(shared, subject, start, is_said)));
    }
    if !shared.questions.may_register(&subject.stream) {
        return Ok(Some(Answer::TooManyDevices));
    }
    let under_way = Registration {
        shared: shared.clone(),
        user: subject.stream.clone(),
    };
    let write = registration::register(shared, &subject.stream, &subject.device)?;
    let of_done = subject.clone();
    let submitted = shared.submit(write, move |outcome| {
        let shared = &under_way.shared;
        let start = match outcome {
            Ok(Outcome::Registered { stream, device }) => {
                Ok(start(&stream, device.acked, position.as_ref()))
            }
            Ok(other) => {
                return tracing::error!(?other, "a registration was answered as something else");
            }
            Err(error) if registration::may_do_without(&error) => {
                registration::without(shared, &of_done, position.as_ref(), &error)
                    .map_err(|error| SubmitError::Store(Arc::new(error)))
            }
            Err(error) => Err(error),
        };
        match start {
            Ok(start) => {
                let answer = attached(shared, &of_done, start, is_said);
                post(shared, of_done, answer);
            }
            Err(error) => fail(shared, of_done, &error),
        }
    });
    if let Err(overloaded) = submitted {
        fail(shared, subject.clone(), &overloaded);
    }
    Ok(None)
}

fn attached(shared: &Shared, subject: &Subject, start: Start, is_said: bool) -> Answer {
    let (stream, epoch) = (subject.stream.as_str(), start.cursor.epoch());
    // Also where it says nothing new: the store notes that the device was heard of.
    let handled = start.handled.filter(|_| is_said).unwrap_or_default();
    shared.ack(subject, epoch, handled);
    let mut frames = Vec::new();
    tell_start(stream, &start, |text| {
        frame::append(&mut frames, frame::Opcode::Text, text.as_bytes());
    });
    Answer::Attached(start, frames.into())
}

fn page(
    shared: &Shared,
    subject: &Subject,
    after: Offset,
    limits: PageLimits,
) -> Result<Answer, StoreError> {
    let stream = subject.stream.as_str();
    let mut frames = Vec::new();
    let facts = read_page(
        &*shared.store,
        stream,
        after,
        limits,
        shared.clock.past_ms(),
        |text| {
            frame::append(&mut frames, frame::Opcode::Text, text.as_bytes());
        },
    )?;
    let Some(mut facts) = facts else {
        // It was attached to this stream, and streams are never forgotten.
        tracing::error!(stream, "the store has lost a stream");
        return Ok(Answer::Failed);
    };
    facts.bytes = frames.len();
    Ok(Answer::Page(facts, frames.into()))
}
