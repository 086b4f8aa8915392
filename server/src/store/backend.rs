//! What lies beneath the engine: a file, synced or not, or a disk that can crash.

use redb::StorageBackend;
use redb::backends::FileBackend;
use std::collections::HashMap;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an answered write survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// A power cut: each commit waits until the disk has it. Many writes share one commit.
    #[default]
    Power,
    /// The end of this process, however sudden, but no power cut: the operating system has it, the disk will.
    Process,
}

/// A file whose commits do not wait for the disk.
#[derive(Debug)]
pub(super) struct Unsynced(pub FileBackend);

impl StorageBackend for Unsynced {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        self.0.close()
    }

    fn try_lock_range(
        &self,
        start: Bound<u64>,
        end: Bound<u64>,
    ) -> Result<bool, redb::BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), redb::BackendError> {
        self.0.unlock_range(start, end)
    }
}

/// A disk for tests and simulation: it keeps what was synced, and at a crash loses or keeps each page written since, as a seed
/// decides; a page may also be torn. It can be full, too.
#[derive(Clone, Debug, Default)]
pub struct CrashDisk(Arc<Disk>);

#[derive(Debug, Default)]
struct Disk {
    state: Mutex<State>,
    is_full: AtomicBool,
    /// Writes and syncs until all of them fail; 0: never.
    fails_in: AtomicU64,
    /// Nothing reaches the disk any more, though it says so.
    is_frozen: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    /// What reads see.
    now: Vec<u8>,
    /// What a crash cannot take.
    synced: Vec<u8>,
    /// Pages that were written since the last sync.
    dirty: HashMap<usize, ()>,
}

/// What is written whole or not at all, unless it is torn.
const SECTOR: usize = 512;

impl CrashDisk {
    /// Everything that was not synced is lost, kept or torn, sector by sector; `seed` decides.
    pub fn crash(&self, seed: u64) {
        self.0.fails_in.store(0, Relaxed);
        self.0.is_frozen.store(false, Relaxed);
        let mut state = self.lock();
        let state = &mut *state;
        let mut random = seed | 1;
        let mut next = || {
            // xorshift64*: enough to be arbitrary.
            random ^= random >> 12;
            random ^= random << 25;
            random ^= random >> 27;
            random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
        };
        let mut sectors: Vec<usize> = state.dirty.drain().map(|(sector, ())| sector).collect();
        sectors.sort_unstable();
        if next() % 2 == 0 {
            let len = state.now.len();
            state.synced.resize(len, 0);
        }
        for sector in sectors {
            let from = sector * SECTOR;
            let whole = (from + SECTOR).min(state.now.len()).min(state.synced.len());
            let to = match next() % 4 {
                0 | 1 => from,
                2 => whole,
                _ => from + next() as usize % SECTOR,
            };
            if from < to.min(whole) {
                state.synced[from..to.min(whole)].copy_from_slice(&state.now[from..to.min(whole)]);
            }
        }
        state.now.clone_from(&state.synced);
    }

    /// After so many more writes and syncs, every one fails, until the next crash.
    pub fn fail_after(&self, calls: u64) {
        self.0.fails_in.store(calls + 1, Relaxed);
    }

    /// The power is gone: until [`Self::crash`], nothing reaches the disk any more.
    pub fn freeze(&self) {
        self.0.is_frozen.store(true, Relaxed);
    }

    /// From now on there is no room to grow, or there is again. What is there can be written over, as on a real disk.
    pub fn set_full(&self, is_full: bool) {
        self.0.is_full.store(is_full, Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the disk does what it is told.
    fn works(&self) -> io::Result<()> {
        let left = self.0.fails_in.load(Relaxed);
        if left == 1 {
            return Err(io::ErrorKind::Other.into());
        }
        self.0.fails_in.store(left.saturating_sub(1), Relaxed);
        Ok(())
    }
}

impl StorageBackend for CrashDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.lock().now.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let state = self.lock();
        let from = offset as usize;
        let found = state.now.get(from..from + out.len());
        out.copy_from_slice(found.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        if self.0.is_frozen.load(Relaxed) {
            return Ok(());
        }
        let mut state = self.lock();
        if len as usize > state.now.len() {
            self.works()?;
            if self.0.is_full.load(Relaxed) {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        state.now.resize(len as usize, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.is_frozen.load(Relaxed) {
            return Ok(());
        }
        self.works()?;
        let mut state = self.lock();
        let state = &mut *state;
        state.synced.resize(state.now.len(), 0);
        for (sector, ()) in state.dirty.drain() {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(state.now.len());
            if from < to {
                state.synced[from..to].copy_from_slice(&state.now[from..to]);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.0.is_frozen.load(Relaxed) {
            return Ok(());
        }
        self.works()?;
        let mut state = self.lock();
        let from = offset as usize;
        let place = state.now.get_mut(from..from + data.len());
        place
            .ok_or(io::ErrorKind::UnexpectedEof)?
            .copy_from_slice(data);
        for sector in from / SECTOR..(from + data.len()).div_ceil(SECTOR) {
            state.dirty.insert(sector, ());
        }
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, redb::BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), redb::BackendError> {
        Ok(())
    }
}
