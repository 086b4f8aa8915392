//! The desk: what the rest of the server asks of durable delivery. One for the whole server, shared by all its threads.

use super::acks::Acks;
use super::clock::Clock;
use super::reader::{self, ReadQueue, Subject};
use super::receipts::{Awaited, Crowded, Waiting};
use super::registration::Unregistered;
use super::subscription::Ask;
use super::upkeep::{self, Hooks};
use crate::hub::{Hub, Place};
use crate::logs::LineLimit;
use crate::net::frame::Deflated;
use crate::store::{
    Committer, Epoch, Offset, Outcome, Overloaded, Push, Store, StoreError, SubmitError, Write,
    WriteError,
};
use bytes::Bytes;
use heartline_protocol::User;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Durable delivery of one server.
#[derive(Debug)]
pub struct Delivery {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    /// Dropped to end the upkeep.
    upkeep: Mutex<Option<mpsc::Sender<()>>>,
}

/// What its threads share.
#[derive(Debug)]
pub(super) struct Shared {
    pub store: Arc<dyn Store>,
    pub hub: Arc<Hub>,
    pub questions: ReadQueue,
    pub hooks: Arc<dyn Hooks>,
    committer: Committer,
    pub clock: Arc<Clock>,
    pub unregistered: Unregistered,
    pub unregistered_log: LineLimit,
    waiting: Arc<Waiting>,
    acks: Arc<Mutex<Acks>>,
    turns: AtomicU32,
    max_push_bytes: u64,
}

/// A push that is to be stored and then sent.
#[derive(Debug)]
pub struct Draft {
    /// What is written.
    pub push: Push,
    /// The streams' users, in the same order.
    pub recipients: Vec<User>,
    /// The frame of devices that speak the classic protocol.
    pub frame: Bytes,
    /// The same, compressed, if somebody takes that.
    pub deflated: Option<Deflated>,
    /// Be told of the first acknowledgement of each recipient.
    pub wait_acked: bool,
}

/// A push that is stored.
#[derive(Debug)]
pub struct Pushed {
    /// It was there before: nothing was stored now, and only attached devices are told of it again, which drop it if they have it.
    pub repeated: bool,
    /// Where it stands in each recipient's stream.
    pub places: Vec<(Epoch, Offset)>,
    /// The first acknowledgement of each recipient, where they were asked for.
    pub awaited: Option<Awaited>,
}

/// Why a push was not stored. Nobody got it.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// It breaks a rule of the store.
    #[error(transparent)]
    Refused(#[from] WriteError),
    /// The store cannot take it now.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// Too much waits to be written.
    #[error(transparent)]
    Overloaded(#[from] Overloaded),
    /// Too many acknowledgements are waited for.
    #[error(transparent)]
    Crowded(#[from] Crowded),
    /// It asks to wait for more acknowledgements than ever can be waited for.
    #[error(
        "a push can wait for the acknowledgements of at most {} recipients: split it, or send it with \"wait\":\"stored\"",
        Waiting::MAX
    )]
    TooManyAwaited,
    /// It takes more of the store than one push may: others would wait for as long as that is written.
    #[error(
        "this push takes {} bytes of the store, {body_bytes} for each of {recipients} recipients, and limits.max_push_bytes is {limit}: split it into pushes to at most {} recipients each, or raise the limit",
        *recipients as u64 * body_bytes,
        (limit / body_bytes).max(1)
    )]
    TooLarge {
        /// How many get it.
        recipients: usize,
        /// What each of them gets, in bytes.
        body_bytes: u64,
        /// `limits.max_push_bytes`.
        limit: u64,
    },
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
}

/// Why durable delivery did not start.
#[derive(Debug, thiserror::Error)]
#[error("durable delivery has no thread: {0}")]
pub struct StartError(#[from] std::io::Error);

impl Delivery {
    /// Durable delivery through this store to the hub's connections. A push takes at most `max_push_bytes` of the store, its body
    /// for each recipient; one to a single recipient is never refused for that.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        store: Arc<dyn Store>,
        hub: Arc<Hub>,
        hooks: Arc<dyn Hooks>,
        max_push_bytes: u64,
    ) -> Result<Self, StartError> {
        // Where the store cannot say, nothing speaks against the clock.
        let clock = Arc::new(Clock::start(store.newest_ms().ok().flatten()));
        let of_committer = clock.clone();
        let shared = Arc::new(Shared {
            committer: Committer::start(store.clone(), move || of_committer.now_ms())?,
            clock,
            store,
            hub,
            questions: ReadQueue::default(),
            hooks,
            unregistered: Unregistered::default(),
            unregistered_log: LineLimit::new(),
            waiting: Arc::default(),
            acks: Arc::default(),
            turns: AtomicU32::new(0),
            max_push_bytes,
        });
        let (upkeep, ends) = mpsc::channel();
        let threads = vec![reader::spawn(&shared)?, upkeep::spawn(&shared, ends)?];
        Ok(Self {
            shared,
            threads: Mutex::new(threads),
            upkeep: Mutex::new(Some(upkeep)),
        })
    }

    /// Stores a push, and hands it to whoever is connected. When this answers, it is stored.
    ///
    /// # Errors
    /// [`PushError`]; then nothing is stored and nobody gets it.
    pub async fn push(&self, draft: Draft) -> Result<Pushed, PushError> {
        let Draft {
            push,
            recipients,
            frame,
            deflated,
            wait_acked,
        } = draft;
        self.shared.check_size(recipients.len(), push.body.len())?;
        let mut awaited = match wait_acked {
            false => None,
            true if recipients.len() > Waiting::MAX => return Err(PushError::TooManyAwaited),
            true => Some(self.shared.waiting.reserve(recipients.len())?),
        };
        let text = push.body.clone();
        let (done, outcome) = oneshot::channel();
        let shared = self.shared.clone();
        // On the committer's thread, in the order of the store: so that is the order in which devices get them.
        let carry_out = move |written: Result<Outcome, SubmitError>| {
            let answer = match written {
                Ok(Outcome::Pushed { repeated, places }) => {
                    if let Some(awaited) = &mut awaited {
                        // Before anybody gets it, and so before anybody can acknowledge it.
                        let stands = recipients.iter().zip(&places);
                        let stands = stands.map(|(user, (_, offset))| (user.clone(), *offset));
                        awaited.begin(stands.collect());
                    }
                    let stands = recipients.iter().zip(&places);
                    let stands: Vec<_> = stands
                        .map(|(user, (epoch, offset))| Place {
                            stream: user.clone(),
                            epoch: *epoch,
                            offset: *offset,
                        })
                        .collect();
                    if repeated {
                        shared.hub.remind(&stands, &text, deflated.as_ref());
                    } else {
                        shared
                            .hub
                            .publish_durable(&stands, &text, &frame, deflated.as_ref());
                    }
                    Ok(Pushed {
                        repeated,
                        places,
                        awaited,
                    })
                }
                Ok(_) => Err(PushError::Stopping),
                Err(SubmitError::Write(error)) => Err(PushError::Refused(error)),
                Err(SubmitError::Store(error)) => Err(PushError::Store(error)),
                Err(SubmitError::Stopped) => Err(PushError::Stopping),
            };
            // Whoever asked may have gone; the push stands all the same.
            let _ = done.send(answer);
        };
        self.shared.submit(Write::Push(push), carry_out)?;
        outcome.await.unwrap_or(Err(PushError::Stopping))
    }

    /// Asks the store on behalf of a connection; its shard hears the answer.
    pub fn ask(&self, subject: Subject, ask: Ask) {
        self.shared.questions.ask(subject, ask);
    }

    /// The connection needs no answer any more.
    pub fn withdraw(&self, subject: &Subject) {
        self.shared.questions.withdraw(subject);
    }

    /// A device has handled everything up to `offset`.
    pub fn ack(&self, subject: &Subject, epoch: Epoch, offset: Offset) {
        self.shared.ack(subject, epoch, offset);
    }

    /// A number for one attaching: answers to an earlier one are told by it.
    pub fn next_turn(&self) -> u32 {
        self.shared.turns.fetch_add(1, Relaxed)
    }

    /// Writes the acknowledgements so far.
    pub async fn write_acks(&self) {
        self.shared.write_acks();
        let (done, written) = oneshot::channel::<()>();
        // Anything behind them in the queue is written after them.
        let fired = Write::Fired {
            push: Box::default(),
            at_ms: 0,
        };
        if self.shared.submit(fired, |_| drop(done)).is_ok() {
            let _ = written.await;
        }
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.shared.store
    }

    /// Writes what was accepted, and ends. Blocks for as long as that takes.
    pub fn shutdown(&self) {
        drop(
            self.upkeep
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
        self.shared.questions.end();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
        self.shared.write_acks();
        self.shared.committer.shutdown();
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl Shared {
    /// Refuses what would hold other pushes for too long: the store writes the body once for each recipient.
    fn check_size(&self, recipients: usize, body: usize) -> Result<(), PushError> {
        let (body_bytes, limit) = (body as u64, self.max_push_bytes);
        let is_too_large = body_bytes.saturating_mul(recipients as u64) > limit;
        if recipients > 1 && is_too_large {
            return Err(PushError::TooLarge {
                recipients,
                body_bytes,
                limit,
            });
        }
        Ok(())
    }

    pub fn submit(
        &self,
        write: Write,
        done: impl FnOnce(Result<Outcome, SubmitError>) + Send + 'static,
    ) -> Result<(), Overloaded> {
        self.committer.submit(write, Box::new(done))
    }

    /// Notes an acknowledgement, and tells those who wait for it.
    pub fn ack(&self, subject: &Subject, epoch: Epoch, offset: Offset) {
        self.lock_acks()
            .note(&subject.stream, &subject.device, epoch, offset);
        // Who hears of it may ask the store at once: so it is noted first.
        if offset.0 > 0 {
            self.waiting.acked(&subject.stream, offset);
        }
    }

    /// Hands the acknowledgements so far to the committer. What cannot be written waits for the next time.
    pub fn write_acks(&self) {
        // Held until all are in the queue: who asks for this in the meantime queues up behind them.
        let mut acks = self.lock_acks();
        while let Some(acked) = acks.take() {
            let (of_done, again) = (self.acks.clone(), acked.clone());
            let submitted = self.submit(acked.write(), move |written| {
                if let Err(SubmitError::Store(_)) = written {
                    of_done
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .put_back(again);
                }
            });
            if submitted.is_err() {
                acks.put_back(acked);
                tracing::warn!("acknowledgements are not written: too much waits for the store");
                return;
            }
        }
    }

    /// The store did not take the last acknowledgements.
    pub fn acks_have_failed(&self) -> bool {
        self.lock_acks().has_failed()
    }

    fn lock_acks(&self) -> MutexGuard<'_, Acks> {
        // Every change is whole before anything that could panic.
        self.acks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
