//! The store: one engine for a folder, for memory, and for a disk that a test can crash.

use super::backend::{CrashDisk, Durability, Unsynced};
use super::promise::{
    Deadline, DeviceState, Entropy, Offset, Outcome, Page, PageLimits, PushRecord, Retention,
    Store, StoreError, StreamState, Trimmed, Write, WriteError,
};
use super::tables::{
    DEADLINES, DEVICES, ENTRIES, META, NAMES, PUSHES, Row, STREAMS, Tables, device_state,
    read_places,
};
use redb::backends::{FileBackend, InMemoryBackend};
use redb::{
    Database, DatabaseError, ReadTransaction, ReadableDatabase, ReadableTable, StorageError,
};
use std::fmt;
use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

/// How a store is opened.
pub struct Options {
    /// What an answered write survives; of files only.
    pub durability: Durability,
    /// How much is kept.
    pub retention: Retention,
    /// Of which epochs are made.
    pub entropy: Entropy,
    /// Bytes of the engine's cache.
    pub cache_bytes: usize,
}

/// See the module's page.
pub struct EmbeddedStore {
    /// `None` only while it is opened again after the disk has failed.
    database: RwLock<Option<Database>>,
    place: Place,
    options: Options,
    /// The last stream that retention has looked at.
    aged: Mutex<Option<String>>,
}

#[derive(Debug)]
enum Place {
    Memory,
    File(PathBuf),
    CrashDisk(CrashDisk),
}

/// The version of what is written.
const FORMAT: u64 = 1;
/// The file in the folder.
const FILE: &str = "heartline.redb";
/// The engine's cache where nothing else is said.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// Entries that one page looks at beyond those that it gives: expired ones are passed over.
const MAX_PASSED_OVER: usize = 1_000;

impl Options {
    /// The defaults around this retention and source of epochs.
    pub fn new(retention: Retention, entropy: Entropy) -> Self {
        Self {
            durability: Durability::default(),
            retention,
            entropy,
            cache_bytes: CACHE_BYTES,
        }
    }
}

impl EmbeddedStore {
    /// A store that lasts as long as the process.
    ///
    /// # Errors
    /// When there is no memory for it.
    pub fn in_memory(options: Options) -> Result<Self, StoreError> {
        Self::open_place(Place::Memory, options)
    }

    /// The store in this folder, which is made if it is not there.
    ///
    /// # Errors
    /// When the folder cannot be used, another process has it, or what is in it is not ours or newer than this version.
    pub fn open(folder: &Path, options: Options) -> Result<Self, StoreError> {
        std::fs::create_dir_all(folder)
            .map_err(|error| StoreError::Io(format!("{}: {error}", folder.display())))?;
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
        let database = open(&place, &options)?;
        Ok(Self {
            database: RwLock::new(Some(database)),
            place,
            options,
            aged: Mutex::default(),
        })
    }

    /// One transaction that writes. When the disk has failed the engine is opened again, for the next.
    fn write<T>(
        &self,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StoreError> {
        let is_open = self
            .database
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .is_some();
        if !is_open {
            self.open_again()?;
        }
        let outcome = {
            let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
            match &*database {
                Some(database) => self.write_in(database, work),
                None => Err(StoreError::Io("the store is not open".into())),
            }
        };
        if let Err(StoreError::Full | StoreError::Io(_)) = outcome
            && let Err(error) = self.open_again()
        {
            tracing::error!(%error, "the store cannot be opened again; the next write tries once more");
        }
        outcome
    }

    fn write_in<T>(
        &self,
        database: &Database,
        work: impl FnOnce(&mut Tables<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StoreError> {
        let transaction = database
            .begin_write()
            .map_err(|error| failed(&error.into()))?;
        let done = {
            let mut tables =
                Tables::open(&transaction, &*self.options.entropy, self.options.retention)
                    .map_err(|error| failed(&error.into()))?;
            work(&mut tables).map_err(|error| failed(&error.into()))
        };
        match done {
            Ok(done) => {
                transaction
                    .commit()
                    .map_err(|error| failed(&error.into()))?;
                Ok(done)
            }
            Err(error) => {
                // Dropped without a commit it is undone as well; this only says so.
                let _ = transaction.abort();
                Err(error)
            }
        }
    }

    /// The engine does nothing more after its disk has failed. What was committed is there when it is opened again.
    fn open_again(&self) -> Result<(), StoreError> {
        if let Place::Memory = self.place {
            return Ok(());
        }
        let mut database = self
            .database
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        // The file's lock must be free before it is opened again.
        *database = None;
        *database = Some(open(&self.place, &self.options)?);
        Ok(())
    }

    fn read_in<T>(
        &self,
        work: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = database
            .as_ref()
            .ok_or_else(|| StoreError::Io("the store is not open".into()))?;
        let transaction = database
            .begin_read()
            .map_err(|error| failed(&error.into()))?;
        work(&transaction).map_err(|error| failed(&error))
    }
}

impl Store for EmbeddedStore {
    fn commit(
        &self,
        now_ms: u64,
        batch: &[Write],
    ) -> Result<Vec<Result<Outcome, WriteError>>, StoreError> {
        self.write(|tables| {
            batch
                .iter()
                .map(|write| tables.apply(now_ms, write))
                .collect()
        })
    }

    fn stream(&self, name: &str) -> Result<Option<StreamState>, StoreError> {
        self.read_in(|transaction| {
            let streams = transaction.open_table(STREAMS)?;
            Ok(streams.get(name)?.map(|found| Row::of(found.value()).state))
        })
    }

    fn device(&self, stream: &str, device: &str) -> Result<Option<DeviceState>, StoreError> {
        self.read_in(|transaction| {
            let Some(row) = row(transaction, stream)? else {
                return Ok(None);
            };
            let devices = transaction.open_table(DEVICES)?;
            Ok(devices
                .get((row.id, device))?
                .map(|found| device_state(found.value())))
        })
    }

    fn devices(
        &self,
        stream: &str,
        limit: usize,
    ) -> Result<Vec<(Box<str>, DeviceState)>, StoreError> {
        self.read_in(|transaction| {
            let mut found = Vec::new();
            let Some(row) = row(transaction, stream)? else {
                return Ok(found);
            };
            let devices = transaction.open_table(DEVICES)?;
            for entry in devices.range((row.id, "")..(row.id + 1, ""))?.take(limit) {
                let (key, value) = entry?;
                found.push((key.value().1.into(), device_state(value.value())));
            }
            Ok(found)
        })
    }

    fn read(
        &self,
        stream: &str,
        after: Offset,
        limits: PageLimits,
        now_ms: u64,
    ) -> Result<Option<Page>, StoreError> {
        self.read_in(|transaction| {
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
                let (offset, (_, expires_ms, _, body)) = (Offset(key.value().1), value.value());
                let is_full =
                    page.entries.len() >= limits.messages as usize || bytes >= limits.bytes;
                if is_full || passed_over >= MAX_PASSED_OVER {
                    page.through = Offset(offset.0 - 1);
                    break;
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
        self.read_in(|transaction| {
            let pushes = transaction.open_table(PUSHES)?;
            let names = transaction.open_table(NAMES)?;
            let Some(found) = pushes.get(id)? else {
                return Ok(None);
            };
            let (fingerprint, at_ms, written) = found.value();
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
        self.read_in(|transaction| {
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
        let mut aged = self.aged.lock().unwrap_or_else(PoisonError::into_inner);
        let after = aged.clone();
        let before_ms = now_ms.saturating_sub(self.options.retention.max_age_ms);
        let (done, last) = self.write(|tables| {
            let mut done = Trimmed::default();
            tables.expire(now_ms, budget, &mut done)?;
            tables.forget_pushes(before_ms, budget, &mut done)?;
            let last = tables.age(now_ms, after.as_deref(), budget, &mut done)?;
            Ok((done, last))
        })?;
        *aged = last;
        Ok(done)
    }
}

impl fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EmbeddedStore")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

fn row(transaction: &ReadTransaction, stream: &str) -> Result<Option<Row>, redb::Error> {
    let streams = transaction.open_table(STREAMS)?;
    Ok(streams.get(stream)?.map(|found| Row::of(found.value())))
}

/// Opens the engine and sees that what is there is ours.
fn open(place: &Place, options: &Options) -> Result<Database, StoreError> {
    let mut builder = Database::builder();
    builder.set_cache_size(options.cache_bytes);
    let opened = match place {
        Place::Memory => builder.create_with_backend(InMemoryBackend::new()),
        Place::CrashDisk(disk) => builder.create_with_backend(disk.clone()),
        Place::File(path) => {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)
                .map_err(|error| io(&error, Some(path)))?;
            let file = FileBackend::new(file).map_err(|error| refused(place, error))?;
            match options.durability {
                Durability::Power => builder.create_with_backend(file),
                Durability::Process => builder.create_with_backend(Unsynced(file)),
            }
        }
    };
    let database = opened.map_err(|error| refused(place, error))?;
    see_format(&database, place, options)?;
    Ok(database)
}

fn see_format(database: &Database, place: &Place, options: &Options) -> Result<(), StoreError> {
    let transaction = database
        .begin_write()
        .map_err(|error| failed(&error.into()))?;
    let damaged = |error: redb::TableError| match error {
        redb::TableError::Storage(error) => failed(&error.into()),
        other => StoreError::Damaged {
            path: shown(place),
            reason: other.to_string(),
        },
    };
    // This table alone first: of a newer format the others may not even be understood.
    let found = {
        let meta = transaction.open_table(META).map_err(damaged)?;
        let found = meta.get("format").map_err(|error| failed(&error.into()))?;
        found.map(|found| found.value())
    };
    if found.is_none() {
        let mut tables =
            Tables::open(&transaction, &*options.entropy, options.retention).map_err(damaged)?;
        tables
            .set_format(FORMAT)
            .map_err(|error| failed(&error.into()))?;
    }
    match found {
        Some(found) if found > FORMAT => {
            let _ = transaction.abort();
            Err(StoreError::Newer {
                path: shown(place),
                found,
                known: FORMAT,
            })
        }
        Some(_) => transaction.abort().map_err(|error| failed(&error.into())),
        None => transaction.commit().map_err(|error| failed(&error.into())),
    }
}

fn shown(place: &Place) -> String {
    match place {
        Place::File(path) => path.display().to_string(),
        Place::Memory | Place::CrashDisk(_) => "the memory".into(),
    }
}

fn refused(place: &Place, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(shown(place)),
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == std::io::ErrorKind::StorageFull =>
        {
            StoreError::Full
        }
        other => StoreError::Damaged {
            path: shown(place),
            reason: other.to_string(),
        },
    }
}

fn failed(error: &redb::Error) -> StoreError {
    match error {
        redb::Error::Io(error) => io(error, None),
        other => StoreError::Io(other.to_string()),
    }
}

fn io(error: &std::io::Error, path: Option<&Path>) -> StoreError {
    match (error.kind(), path) {
        (std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded, _) => {
            StoreError::Full
        }
        (_, Some(path)) => StoreError::Io(format!("{}: {error}", path.display())),
        (_, None) => StoreError::Io(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
