//! A disk for tests and simulation: it keeps what was synced, and may lose the rest; it can be full, fail, and be damaged.

use redb::StorageBackend;
use std::collections::BTreeSet;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk that can crash: of what was written and not synced, each sector is then lost, kept or torn, as a seed decides, and so is the
/// length.
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
    /// Calls that write, sync or change the length, failed ones too.
    calls: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    /// What reads see.
    now: Vec<u8>,
    /// What a crash cannot take.
    synced: Vec<u8>,
    /// Sectors that were written since the last sync.
    dirty: BTreeSet<usize>,
    /// The least length since the last sync, if it was ever less than what is synced.
    shrunk_to: Option<usize>,
}

/// What is written whole or not at all, unless it is torn.
const SECTOR: usize = 512;

impl CrashDisk {
    /// Everything that was not synced is lost, kept or torn, sector by sector; `seed` decides. The disk works again.
    pub fn crash(&self, seed: u64) {
        self.mend();
        self.0.is_frozen.store(false, Relaxed);
        self.lock().crash(&mut Random(seed));
    }

    /// Everything that was not synced is lost. The disk works again.
    pub fn lose(&self) {
        self.mend();
        self.thaw();
        let mut state = self.lock();
        state.now = state.synced.clone();
        state.settle();
    }

    /// After so many more writes and syncs, every one fails, until it is mended or crashes.
    pub fn fail_after(&self, calls: u64) {
        self.0.fails_in.store(calls + 1, Relaxed);
    }

    /// Nothing fails any more.
    pub fn mend(&self) {
        self.0.fails_in.store(0, Relaxed);
    }

    /// The power is gone: until [`Self::crash`] or [`Self::thaw`], nothing reaches the disk any more.
    pub fn freeze(&self) {
        self.0.is_frozen.store(true, Relaxed);
    }

    /// It was not the power, but the process: what was written before is there.
    pub fn thaw(&self) {
        self.0.is_frozen.store(false, Relaxed);
    }

    /// From now on there is no room to grow, or there is again. What is there can be written over, as on a real disk.
    pub fn set_full(&self, is_full: bool) {
        self.0.is_full.store(is_full, Relaxed);
    }

    /// How often it was asked to write, to sync or to change its length.
    pub fn calls(&self) -> u64 {
        self.0.calls.load(Relaxed)
    }

    /// Changes what is on it behind everybody's back; it counts as synced.
    pub fn damage(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.lock();
        change(&mut state.now);
        state.synced = state.now.clone();
        state.settle();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the disk does what it is told.
    fn works(&self) -> io::Result<()> {
        self.0.calls.fetch_add(1, Relaxed);
        let left = self.0.fails_in.load(Relaxed);
        if left == 1 {
            return Err(io::ErrorKind::Other.into());
        }
        self.0.fails_in.store(left.saturating_sub(1), Relaxed);
        Ok(())
    }
}

impl State {
    /// Nothing is under way any more.
    fn settle(&mut self) {
        self.dirty.clear();
        self.shrunk_to = None;
    }

    fn set_len(&mut self, len: usize) {
        let (before, synced) = (self.now.len(), self.synced.len());
        self.now.resize(len, 0);
        if len < before && len < synced {
            self.shrunk_to = Some(self.shrunk_to.map_or(len, |least| least.min(len)));
        }
        // What was cut off is zero when it comes back; the disk still holds what was there.
        let regrown = before..len.min(synced);
        if !regrown.is_empty() {
            self.dirty.extend(sectors(regrown.start, regrown.end));
        }
    }

    fn sync(&mut self) {
        self.synced.resize(self.now.len(), 0);
        for sector in &self.dirty {
            let from = sector * SECTOR;
            let to = (from + SECTOR).min(self.now.len());
            if from < to {
                self.synced[from..to].copy_from_slice(&self.now[from..to]);
            }
        }
        self.settle();
    }

    fn crash(&mut self, random: &mut Random) {
        if let Some(least) = self.shrunk_to
            && random.below(2) == 0
        {
            // It was cut off; what was there is gone whatever came later.
            self.synced.truncate(least);
        }
        if random.below(2) == 0 {
            self.synced.resize(self.now.len(), 0);
        }
        for sector in &self.dirty {
            let from = sector * SECTOR;
            let whole = (from + SECTOR).min(self.now.len()).min(self.synced.len());
            let to = match random.below(4) {
                0 | 1 => from,
                2 => whole,
                _ => (from + random.below(SECTOR)).min(whole),
            };
            if from < to {
                self.synced[from..to].copy_from_slice(&self.now[from..to]);
            }
        }
        self.now.clone_from(&self.synced);
        self.settle();
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
        self.works()?;
        let mut state = self.lock();
        if len as usize > state.now.len() && self.0.is_full.load(Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.set_len(len as usize);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.is_frozen.load(Relaxed) {
            return Ok(());
        }
        self.works()?;
        self.lock().sync();
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
        state.dirty.extend(sectors(from, from + data.len()));
        Ok(())
    }

    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, redb::BackendError> {
        Ok(true)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), redb::BackendError> {
        Ok(())
    }
}

/// The sectors that these bytes lie in.
fn sectors(from: usize, to: usize) -> std::ops::Range<usize> {
    from / SECTOR..to.div_ceil(SECTOR)
}

/// SplitMix64: enough to be arbitrary, and another sequence for each seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        (mixed >> 33) as usize % bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(disk: &CrashDisk) -> Vec<u8> {
        let mut out = vec![0; disk.len().unwrap() as usize];
        disk.read(0, &mut out).unwrap();
        out
    }

    /// A disk of four sectors of ones, synced.
    fn ones() -> CrashDisk {
        let disk = CrashDisk::default();
        disk.set_len(4 * SECTOR as u64).unwrap();
        disk.write(0, &[1; 4 * SECTOR]).unwrap();
        disk.sync_data().unwrap();
        disk
    }

    #[test]
    fn what_was_cut_off_and_grown_again_is_zero_once_synced_and_either_before() {
        let disk = ones();
        disk.set_len(SECTOR as u64).unwrap();
        disk.set_len(4 * SECTOR as u64).unwrap();
        disk.sync_data().unwrap();
        disk.crash(1);
        assert_eq!(holds(&disk)[SECTOR..], [0; 3 * SECTOR]);

        let mut seen = BTreeSet::new();
        for seed in 0..64 {
            let disk = ones();
            disk.set_len(SECTOR as u64).unwrap();
            disk.set_len(4 * SECTOR as u64).unwrap();
            disk.crash(seed);
            let held = holds(&disk);
            assert_eq!(held[..SECTOR], [1; SECTOR]);
            seen.insert((held.len() / SECTOR, held.get(2 * SECTOR).copied()));
        }
        assert!(
            [(4, Some(1)), (4, Some(0)), (1, None)]
                .iter()
                .all(|end| seen.contains(end)),
            "{seen:?}"
        );
    }

    #[test]
    fn each_seed_is_a_crash_of_its_own() {
        let ends: BTreeSet<_> = (0..64)
            .map(|seed| {
                let disk = CrashDisk::default();
                disk.set_len(64 * SECTOR as u64).unwrap();
                disk.sync_data().unwrap();
                disk.write(0, &[2; 64 * SECTOR]).unwrap();
                disk.crash(seed);
                holds(&disk)
            })
            .collect();
        assert_eq!(ends.len(), 64);
    }
}
