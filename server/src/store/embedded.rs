//! The store: one engine for a folder, for memory, and for a disk that a test can crash.

use super::crash_disk::CrashDisk;
use super::engine::Engine;
use super::memory::Memory;
use super::opening::{Options, Place};
use super::promise::{
    Deadline, DeviceState, Offset, Outcome, Page, PageLimits, PushRecord, Receipts, Store,
    StoreError, StreamState, Trimmed, Write, WriteError,
};
use super::rows::{Row, device_state, entry_is_intact, push_is_intact, read_places};
use super::tables::{AGES, DEADLINES, DEVICES, ENTRIES, NAMES, PUSHES, STREAMS, look};
use redb::{ReadTransaction, ReadableTable};
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// See the module's page.
pub struct EmbeddedStore {
    engine: Engine,
    /// The last stream that retention has looked at.
    aged: Mutex<Option<String>>,
}

/// The file in the folder.
const FILE: &str = "heartline.redb";
/// Entries that one page looks at beyond those that it gives: expired ones are passed over.
const MAX_PASSED_OVER: usize = 1_000;

impl EmbeddedStore {
    /// A store that lasts as long as the process.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory(options: Options) -> Result<Self, StoreError> {
        let memory = Memory::new(options.memory_bytes);
        Self::open_place(Place::Memory(memory), options)
    }

    /// The store in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be used, another process has it, or what is in it is damaged, not ours or of another version.
    pub fn open(folder: &Path, options: Options) -> Result<Self, StoreError> {
        Self::open_place(Place::File(folder.join(FILE)), options)
    }

    /// The store on a disk that can crash.
    ///
    /// # Errors
    /// When what is on it cannot be read.
    pub fn on_crash_disk(disk: CrashDisk, options: Options) -> Result<Self, StoreError> {
        Self::open_place(Place::CrashDisk(disk), options)
    }

    fn open_place(place: Place, options: Options) -> Result<Self, StoreError> {
        Ok(Self {
            engine: Engine::open(place, options)?,
            aged: Mutex::default(),
        })
    }
}

impl Store for EmbeddedStore {
    fn commit(
        &self,
        now_ms: u64,
        batch: &[Write],
    ) -> Result<Vec<Result<Outcome, WriteError>>, StoreError> {
        self.engine.hear(now_ms);
        // One that cannot fit is refused alone, and before it takes the room of all others.
        let fits: Vec<bool> = batch
            .iter()
            .map(|write| self.engine.has_room(write.bytes()))
            .collect();
        self.engine.write(|tables| {
            batch
                .iter()
                .zip(&fits)
                .map(|(write, fits)| match fits {
                    true => tables.apply(now_ms, write),
                    false => Ok(Err(WriteError::NoRoom)),
                })
                .collect()
        })
    }

    fn stream(&self, name: &str) -> Result<Option<StreamState>, StoreError> {
        self.engine
            .read(|transaction| Ok(row(transaction, name)?.map(|row| row.state)))
    }

    fn device(&self, stream: &str, device: &str) -> Result<Option<DeviceState>, StoreError> {
        self.engine.read(|transaction| {
            let Some(row) = row(transaction, stream)? else {
                return Ok(None);
            };
            let devices = transaction.open_table(DEVICES)?;
            let key = (row.id, device);
            let found = devices.get(key)?;
            Ok(found
                .map(|found| device_state(key, found.value()))
                .transpose()?)
        })
    }

    fn devices(
        &self,
        stream: &str,
        limit: usize,
    ) -> Result<Vec<(Box<str>, DeviceState)>, StoreError> {
        self.engine.read(|transaction| {
            let mut found = Vec::new();
            let Some(row) = row(transaction, stream)? else {
                return Ok(found);
            };
            let devices = transaction.open_table(DEVICES)?;
            for entry in devices.range((row.id, "")..(row.id + 1, ""))?.take(limit) {
                let (key, value) = entry?;
                let key = key.value();
                found.push((key.1.into(), device_state(key, value.value())?));
            }
            Ok(found)
        })
    }

    fn receipts(&self, stream: &str, offset: Offset, limit: usize) -> Result<Receipts, StoreError> {
        self.engine.read(|transaction| {
            let mut receipts = Receipts::default();
            let Some(row) = row(transaction, stream)? else {
                return Ok(receipts);
            };
            let devices = transaction.open_table(DEVICES)?;
            // As many as a stream may have: `Retention::MAX_DEVICES`.
            for entry in devices.range((row.id, "")..(row.id + 1, ""))? {
                let (key, value) = entry?;
                let key = key.value();
                let state = device_state(key, value.value())?;
                if state.since >= offset {
                    continue;
                }
                receipts.acked |= state.acked >= offset;
                receipts.count += 1;
                if receipts.devices.len() < limit {
                    receipts.devices.push((key.1.into(), state));
                }
            }
            Ok(receipts)
        })
    }

    fn read(
        &self,
        stream: &str,
        after: Offset,
        limits: PageLimits,
        now_ms: u64,
    ) -> Result<Option<Page>, StoreError> {
        self.engine.hear(now_ms);
        self.engine.read(|transaction| {
            let Some(Row { id, state }) = row(transaction, stream)? else {
                return Ok(None);
            };
            let mut page = Page {
                epoch: state.epoch,
                head: state.head,
                trimmed: state.trimmed,
                entries: Vec::new(),
                through: state.head.max(after),
            };
            if after >= state.head {
                return Ok(Some(page));
            }
            let entries = transaction.open_table(ENTRIES)?;
            let (mut bytes, mut passed_over) = (0, 0);
            let from = after.0 + 1;
            for entry in entries.range((id, from)..=(id, u32::MAX))? {
                let (key, value) = entry?;
                let (place, entry) = (key.value(), value.value());
                let (offset, (_, expires_ms, _, _, body)) = (Offset(place.1), entry);
                let is_full =
                    page.entries.len() >= limits.messages as usize || bytes >= limits.bytes;
                let damage = entry_is_intact(place, entry).err();
                // What is damaged is a gap before the page, so nothing may come before it in this one.
                let must_wait = damage.is_some() && !page.entries.is_empty();
                if is_full || must_wait || passed_over >= MAX_PASSED_OVER {
                    page.through = Offset(offset.0 - 1);
                    break;
                }
                if let Some(error) = damage {
                    tracing::error!(stream, %error, "a stored push is damaged; whoever missed it is told of a gap");
                    page.trimmed = page.trimmed.max(offset);
                    passed_over += 1;
                    continue;
                }
                if expires_ms > 0 && expires_ms <= now_ms {
                    passed_over += 1;
                    continue;
                }
                bytes += body.len();
                page.entries.push((offset, body.to_vec().into()));
            }
            Ok(Some(page))
        })
    }

    fn push(&self, id: &str) -> Result<Option<PushRecord>, StoreError> {
        self.engine.read(|transaction| {
            let pushes = transaction.open_table(PUSHES)?;
            let names = transaction.open_table(NAMES)?;
            let Some(found) = pushes.get(id)? else {
                return Ok(None);
            };
            push_is_intact(id, found.value())?;
            let (fingerprint, at_ms, _, written) = found.value();
            let mut places = Vec::new();
            for (stream, epoch, offset) in read_places(written) {
                if let Some(name) = names.get(stream)? {
                    places.push((name.value().into(), epoch, offset));
                }
            }
            Ok(Some(PushRecord {
                fingerprint,
                at_ms,
                places,
            }))
        })
    }

    fn due(&self, now_ms: u64, limit: usize) -> Result<Vec<Deadline>, StoreError> {
        self.engine.read(|transaction| {
            let deadlines = transaction.open_table(DEADLINES)?;
            let mut due = Vec::new();
            for entry in deadlines
                .range(..(now_ms.saturating_add(1), ""))?
                .take(limit)
            {
                let (key, _) = entry?;
                let (at_ms, push) = key.value();
                let push = push.into();
                due.push(Deadline { at_ms, push });
            }
            Ok(due)
        })
    }

    fn trim(&self, now_ms: u64, budget: usize) -> Result<Trimmed, StoreError> {
        self.engine.hear(now_ms);
        let max_age_ms = self.engine.options.retention.max_age_ms;
        let mut aged = self.aged.lock().unwrap_or_else(PoisonError::into_inner);
        let chore = self
            .engine
            .read(|transaction| look(transaction, now_ms, max_age_ms, aged.as_deref(), budget))?;
        let done = if chore.is_none() {
            Trimmed::default()
        } else {
            self.engine
                .write_now(|tables| tables.carry_out(now_ms, &chore, budget))?
        };
        *aged = chore.last;
        Ok(done)
    }

    fn newest_ms(&self) -> Result<Option<u64>, StoreError> {
        self.engine.read(|transaction| {
            let ages = transaction.open_table(AGES)?;
            let newest = ages.last()?;
            Ok(newest.map(|(key, _)| key.value().0))
        })
    }

    fn check_place(&self) {
        self.engine.check_place();
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("place", &self.engine.place)
            .finish_non_exhaustive()
    }
}

fn row(transaction: &ReadTransaction, stream: &str) -> Result<Option<Row>, redb::Error> {
    let streams = transaction.open_table(STREAMS)?;
    let found = streams.get(stream)?;
    Ok(found
        .map(|found| Row::of(stream, found.value()))
        .transpose()?)
}

#[cfg(test)]
mod tests;
