//! Consumers: handlers that are called with one push at a time, and whose word moves a stream's position.
//!
//! Each consumer has a task and a queue. Of a stream one message is under way at a time, so stored pushes never pile up
//! here; what is not stored is bounded like a subscription's buffer.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

use futures::FutureExt as _;
use heartline_client_core::{GapReason, Input, ListenerId, StreamId};
use tokio::sync::mpsc;

use crate::Push;
use crate::driver::Shared;

/// Why a handler failed; the push is handed over again, unless the error says that this is of no use: see [`GiveUp`].
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// A handler's word that it will never do well with this push: it is given up at once, [`crate::News::Poisoned`] tells of it, and its
/// stream goes on. A [`serde_json::Error`] (what `push.parse_msg()?` ends with) counts as that word: what cannot be read today
/// cannot be read in a second either.
#[derive(Debug, thiserror::Error)]
#[error("given up: {0}")]
pub struct GiveUp(pub HandlerError);

fn is_final(error: &HandlerError) -> bool {
    error.is::<GiveUp>() || error.is::<serde_json::Error>()
}

/// Messages of a stream that will never come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The stream: `user:6`.
    pub stream: Box<str>,
    /// The epoch in which the offsets count.
    pub epoch: u64,
    /// The first that is missing.
    pub from: u32,
    /// The last; below `from` when of this epoch nothing is missing.
    pub to: u32,
    /// Too old or too many; or the stream is another one, and what came after the old position is unknown.
    pub reason: GapReason,
}

/// What a consumer is called with.
#[derive(Clone)]
pub(crate) enum News {
    Push(Push),
    Gap(Gap),
}

pub(crate) type Handler =
    Box<dyn FnMut(News) -> Pin<Box<dyn Future<Output = Result<(), HandlerError>> + Send>> + Send>;

/// A running handler. Dropping it ends it, once the push in its hands is done.
#[must_use = "dropping it ends the consumer"]
pub struct Consumer {
    /// `None`: it hears of gaps.
    pub(crate) listener: Option<ListenerId>,
    pub(crate) number: u64,
    pub(crate) client: Weak<Shared>,
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if let Some(client) = self.client.upgrade() {
            client.with(|state| {
                state.consumers.remove(&self.number);
                if let Some(listener) = self.listener {
                    // The client may have been closed meanwhile: then there is nothing to remove.
                    let _ = state.handle(Input::Unlisten { listener });
                }
            });
        }
    }
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").finish_non_exhaustive()
    }
}

/// The driver's end of a consumer.
pub(crate) struct Line {
    pub(crate) listener: Option<ListenerId>,
    jobs: mpsc::UnboundedSender<Job>,
    /// Jobs of pushes that are not stored: the bound that the channel itself does not have.
    loose: Arc<AtomicUsize>,
    bound: usize,
}

struct Job {
    news: News,
    turn: Option<Share>,
}

impl Line {
    /// A consumer whose task runs until its line is dropped or the client is closed.
    pub(crate) fn spawn(shared: &Arc<Shared>, bound: usize, mut handler: Handler) -> Self {
        let (jobs, mut queue) = mpsc::unbounded_channel::<Job>();
        let loose = Arc::new(AtomicUsize::new(0));
        let waiting = Arc::clone(&loose);
        let closed = shared.closed.clone();
        let client = Arc::downgrade(shared);
        let work = async move {
            loop {
                let job = tokio::select! {
                    biased;
                    () = closed.cancelled() => return,
                    job = queue.recv() => job,
                };
                let Some(Job { news, turn }) = job else {
                    return;
                };
                if turn.is_none() {
                    waiting.fetch_sub(1, Ordering::Relaxed);
                }
                // A handler that panics has failed like any other.
                let push = match &news {
                    News::Push(push) => Some(push.clone()),
                    News::Gap(_) => None,
                };
                let work = AssertUnwindSafe(async { handler(news).await }).catch_unwind();
                let outcome = tokio::select! {
                    biased;
                    () = closed.cancelled() => return,
                    outcome = work => outcome,
                };
                let error: HandlerError = match outcome {
                    Ok(Ok(())) => {
                        if let Some(turn) = turn {
                            turn.done();
                        }
                        continue;
                    }
                    Ok(Err(error)) => error,
                    Err(_) => "the handler panicked".into(),
                };
                tracing::warn!(%error, event = push.as_ref().map(Push::event), "a handler failed");
                let said = crate::News::HandlerFailed {
                    push,
                    error: error.to_string().into(),
                };
                if let Some(client) = client.upgrade() {
                    client.with(|state| state.publish(said));
                }
                if let Some(turn) = turn.filter(|_| is_final(&error)) {
                    turn.give_up();
                }
            }
        };
        let runtime = shared.runtime();
        shared.tasks.spawn_on(work, &runtime);
        Self {
            listener: None,
            jobs,
            loose,
            bound: bound.max(1),
        }
    }

    /// A push that is not stored: it is dropped where too many wait.
    pub(crate) fn put(&self, push: Push) {
        if self.loose.fetch_add(1, Ordering::Relaxed) >= self.bound {
            self.loose.fetch_sub(1, Ordering::Relaxed);
            tracing::warn!(
                event = push.event(),
                "a push was dropped: its consumer is too slow"
            );
            return;
        }
        let (news, turn) = (News::Push(push), None);
        // A task that has ended hears nothing any more.
        let _ = self.jobs.send(Job { news, turn });
    }

    /// What has its turn.
    pub(crate) fn take_turn(&self, news: News, turn: Share) {
        let turn = Some(turn);
        let _ = self.jobs.send(Job { news, turn });
    }
}

/// One turn of a stream, shared by all who hear it. It is over when the last of them is done with it or has let it go.
pub(crate) struct Turn {
    client: Weak<Shared>,
    stream: StreamId,
    number: u32,
    failed: AtomicBool,
    given_up: AtomicBool,
}

/// One consumer's share in a turn. Let go before it is done, it has failed.
pub(crate) struct Share(Option<Arc<Turn>>);

impl Turn {
    pub(crate) fn new(client: Weak<Shared>, stream: StreamId, number: u32) -> Arc<Self> {
        Arc::new(Self {
            client,
            stream,
            number,
            failed: AtomicBool::new(false),
            given_up: AtomicBool::new(false),
        })
    }

    pub(crate) fn share(self: &Arc<Self>) -> Share {
        Share(Some(Arc::clone(self)))
    }
}

impl Share {
    fn done(mut self) {
        self.0 = None;
    }

    fn give_up(self) {
        if let Some(turn) = &self.0 {
            turn.given_up.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Some(turn) = &self.0 {
            turn.failed.store(true, Ordering::Relaxed);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let Some(client) = self.client.upgrade() {
            let (stream, turn) = (self.stream, self.number);
            let ok = !self.failed.load(Ordering::Relaxed);
            client.answer_turn(if self.given_up.load(Ordering::Relaxed) {
                Input::GiveUp { stream, turn }
            } else {
                Input::Handled { stream, turn, ok }
            });
        }
    }
}
