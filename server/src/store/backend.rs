//! What lies beneath the engine where a write does not wait for the disk.

use redb::StorageBackend;
use std::io;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// What an answered write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: each commit waits until the disk has it. Many writes share one commit.
    #[default]
    Power,
    /// The end of this process, however sudden, but no power cut: the operating system has it, the disk will.
    Process,
}

/// A backend whose commits do not wait for the disk, except while they are told to.
#[derive(Debug)]
pub(super) struct Unsynced<B> {
    /// What it is all handed to.
    pub inner: B,
    /// They wait.
    pub waits: Arc<AtomicBool>,
}

impl<B: StorageBackend> StorageBackend for Unsynced<B> {
    fn len(&self) -> io::Result<u64> {
        self.inner.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.inner.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.inner.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.waits.load(Relaxed) {
            return self.inner.sync_data();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
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
        self.inner.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), redb::BackendError> {
        self.inner.unlock_range(start, end)
    }
}
