//! The room that a failed commit has taken, given back: what was written behind the end of the last commit counts for nothing, and is let go
//! of before the engine is opened again. Without this a disk that one push has filled stays full for ever. The engine may have written its
//! header already; it checks the sums of all that the header names before it believes it, and goes back to the commit before.

use redb::StorageBackend;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// How far the file was written, now and at the last commit that succeeded. Outlasts the engine that writes.
#[derive(Clone, Debug)]
pub(super) struct Marks(Arc<Ends>);

#[derive(Debug)]
struct Ends {
    now: AtomicU64,
    kept: AtomicU64,
}

/// A backend that keeps its marks.
pub(super) struct Marked<B> {
    inner: B,
    marks: Marks,
    /// Gives back what is behind the mark, once the file is locked: until then it may be another process's.
    give_back: Mutex<Option<GiveBack>>,
}

type GiveBack = Box<dyn FnOnce(u64) + Send>;

impl Marks {
    /// Of a file that nobody here has written: all of it may count.
    pub fn new() -> Self {
        Self(Arc::new(Ends {
            now: AtomicU64::new(0),
            kept: AtomicU64::new(u64::MAX),
        }))
    }

    /// A commit has succeeded: all that was written counts.
    pub fn keep(&self) {
        self.0.kept.store(self.0.now.load(Relaxed), Relaxed);
    }

    /// What is behind this counts for nothing.
    pub fn end(&self) -> u64 {
        self.0.kept.load(Relaxed)
    }
}

impl<B: StorageBackend> Marked<B> {
    /// Begins to keep the marks of what is to be opened.
    ///
    /// # Errors
    /// When its length cannot be read.
    pub fn begin(inner: B, marks: Marks, give_back: GiveBack) -> io::Result<Self> {
        let end = marks.end().min(inner.len()?);
        marks.0.now.store(end, Relaxed);
        Ok(Self {
            inner,
            marks,
            give_back: Mutex::new(Some(give_back)),
        })
    }
}

impl<B: StorageBackend> StorageBackend for Marked<B> {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)?;
        self.marks.0.now.fetch_min(len, Relaxed);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.inner.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        // Also where it fails: some of it may be there.
        let end = offset + data.len() as u64;
        self.marks.0.now.fetch_max(end, Relaxed);
        self.inner.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.inner.close()
    }

    fn try_lock_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, redb::BackendError> {
        let is_locked = self.inner.try_lock_range(start, end)?;
        let mut give_back = self
            .give_back
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if is_locked && let Some(give_back) = give_back.take() {
            give_back(self.marks.end());
        }
        Ok(is_locked)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), redb::BackendError> {
        self.inner.unlock_range(start, end)
    }
}

impl<B: fmt::Debug> fmt::Debug for Marked<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Marked")
            .field("inner", &self.inner)
            .field("marks", &self.marks)
            .finish_non_exhaustive()
    }
}
