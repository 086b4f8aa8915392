//! One thread that writes for all. Whatever waits when it begins a commit shares it, so that under load an answer costs a share of a
//! sync, not one of its own; alone it waits for nobody.

use super::promise::{Outcome, Store, StoreError, Write, WriteError};
use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The thread, and what waits for it.
pub struct Committer {
    queue: Arc<Queue>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What is done with a write's result, on the committer's thread and in the order of the writes.
type Done = Box<dyn FnOnce(Result<Outcome, SubmitError>) + Send>;

/// Why a write was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SubmitError {
    /// It breaks a rule.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The store failed, and with it all writes of the commit.
    #[error(transparent)]
    Store(Arc<StoreError>),
    /// The committer has ended.
    #[error("the store is closed")]
    Stopped,
}

/// Too much waits already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much waits to be written: try again shortly")]
pub struct Overloaded;

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
}

#[derive(Default)]
struct Waiting {
    pushes: VecDeque<(Write, Done)>,
    /// What nobody waits for with a message in his hand: acknowledgements and devices, which come by thousands when many come back.
    others: VecDeque<(Write, Done)>,
    bytes: usize,
    has_ended: bool,
}

/// Writes of one kind that may wait.
const MAX_WRITES: usize = 262_144;
/// Bytes of bodies that may wait.
const MAX_BYTES: usize = 64 * 1024 * 1024;
/// What a recipient's name takes, about.
const BYTES_PER_STREAM: usize = 64;
/// Bytes of bodies in one commit, each counted for every recipient: what is behind a large push waits for the next commit, and what is
/// before it does not wait for its bytes. A push that is larger has a commit of its own.
const BATCH_BYTES: u64 = 8 * 1024 * 1024;
/// Pushes in one commit.
const BATCH: usize = 2_048;
/// Other writes beside them, so that a push does not wait for thousands.
const BESIDE: usize = 256;
/// How often a batch is split to get round what is damaged; a few writes are found out, and a store that is nothing but damage is left.
const SPLITS: u32 = 64;

impl Committer {
    /// A committer for this store; `now_ms` says what time it is.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(
        store: Arc<dyn Store>,
        now_ms: impl Fn() -> u64 + Send + 'static,
    ) -> std::io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let of_thread = queue.clone();
        let thread = std::thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                while let Some(batch) = of_thread.next() {
                    write(&*store, now_ms(), batch);
                }
            })?;
        Ok(Self {
            queue,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Has a write carried out behind all earlier ones of its kind (pushes; all others), and `done` called with its result.
    ///
    /// # Errors
    /// [`Overloaded`] at the bound, or when it has ended; then `done` is not called.
    pub fn submit(&self, write: Write, done: Done) -> Result<(), Overloaded> {
        let bytes = size(&write);
        let mut waiting = self.queue.lock();
        if !waiting.has_room(&write, bytes) {
            return Err(Overloaded);
        }
        waiting.bytes += bytes;
        match write {
            Write::Push(_) => waiting.pushes.push_back((write, done)),
            _ => waiting.others.push_back((write, done)),
        }
        self.queue.bell.notify_one();
        Ok(())
    }

    /// Carries out what was accepted, and ends. Blocks for as long as that takes, except on the committer's own thread: a `done` that ends the
    /// committer, or drops its last owner, does not wait for itself.
    pub fn shutdown(&self) {
        self.queue.lock().has_ended = true;
        self.queue.bell.notify_one();
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
        {
            let _ = thread.join();
        }
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.shutdown();
    }
}

impl fmt::Debug for Committer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.queue.lock();
        f.debug_struct("Committer")
            .field("waiting", &waiting.len())
            .finish_non_exhaustive()
    }
}

impl Waiting {
    /// Whether one more may wait. Each kind has its own bound: a crowd of devices must not have pushes refused.
    fn has_room(&self, write: &Write, bytes: usize) -> bool {
        let of_its_kind = match write {
            Write::Push(_) => self.pushes.len(),
            _ => self.others.len(),
        };
        // One that is larger than the bound finds a place where nothing else waits, or it never would.
        let fits = self.bytes + bytes <= MAX_BYTES || self.bytes == 0;
        !self.has_ended && of_its_kind < MAX_WRITES && fits
    }

    fn len(&self) -> usize {
        self.pushes.len() + self.others.len()
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Every change is whole before anything that could panic.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch; `None` when it has ended and nothing waits.
    fn next(&self) -> Option<Vec<(Write, Done)>> {
        let mut waiting = self.lock();
        while waiting.len() == 0 {
            if waiting.has_ended {
                return None;
            }
            waiting = self
                .bell
                .wait(waiting)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let mut batch = Vec::new();
        let Waiting { pushes, others, .. } = &mut *waiting;
        for (queue, most) in [(pushes, BATCH), (others, BESIDE)] {
            let mut bytes = 0;
            let mut fits = |write: &Write| {
                let is_first = bytes == 0;
                bytes += write.bytes();
                is_first || bytes <= BATCH_BYTES
            };
            let some = queue.iter().take(most);
            let count = some.take_while(|(write, _)| fits(write)).count();
            batch.extend(queue.drain(..count));
            if queue.is_empty() {
                // A queue that was once long need not hold its room for ever.
                queue.shrink_to(most);
            }
        }
        waiting.bytes -= batch.iter().map(|(write, _)| size(write)).sum::<usize>();
        Some(batch)
    }
}

/// The body is one for all recipients of a push.
fn size(write: &Write) -> usize {
    match write {
        Write::Push(push) => push.body.len() + push.streams.len() * BYTES_PER_STREAM,
        _ => 0,
    }
}

fn write(store: &dyn Store, now_ms: u64, batch: Vec<(Write, Done)>) {
    let (writes, dones): (Vec<Write>, Vec<Done>) = batch.into_iter().unzip();
    let results = commit(store, now_ms, &writes, &mut { SPLITS });
    for (done, result) in dones.into_iter().zip(results) {
        if catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
            tracing::error!("what follows from a write panicked");
        }
    }
}

/// Commits; where a write lies in what is damaged, those beside it are committed without it.
fn commit(
    store: &dyn Store,
    now_ms: u64,
    writes: &[Write],
    splits: &mut u32,
) -> Vec<Result<Outcome, SubmitError>> {
    // A panic in the store is a bug of ours; those who wait must hear of it all the same.
    let committed = catch_unwind(AssertUnwindSafe(|| store.commit(now_ms, writes)))
        .unwrap_or_else(|_| Err(StoreError::Io("the store panicked".into())));
    match committed {
        Ok(results) => results
            .into_iter()
            .map(|result| result.map_err(SubmitError::Write))
            .collect(),
        Err(StoreError::Damaged { .. }) if writes.len() > 1 && *splits > 0 => {
            *splits -= 1;
            let (first, second) = writes.split_at(writes.len() / 2);
            let mut results = commit(store, now_ms, first, splits);
            results.extend(commit(store, now_ms, second, splits));
            results
        }
        Err(error) => {
            tracing::error!(%error, writes = writes.len(), "a commit failed");
            let error = Arc::new(error);
            let failed = || Err(SubmitError::Store(error.clone()));
            writes.iter().map(|_| failed()).collect()
        }
    }
}

#[cfg(test)]
mod tests;
