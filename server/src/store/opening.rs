//! How the engine is opened, what must be true of what it finds, and how it ends.
//!
//! With durability `process` a power cut may take back what was answered, and the offsets with it. So such a run leaves a mark in the store
//! while it lasts, which names the start of the operating system that it ran under. Who finds the mark of another start knows that
//! nobody can say what the devices have seen, and begins new epochs.

use super::backend::{Durability, Unsynced};
use super::crash_disk::CrashDisk;
use super::memory::Memory;
use super::promise::{Entropy, Retention, StoreError};
use super::room::{Marked, Marks};
use super::tables::{META, Tables};
use super::troubles::{Trouble, damaged, of_engine, of_opening};
use super::{folder, troubles};
use redb::backends::FileBackend;
use redb::{
    Builder, Database, DatabaseError, ReadableDatabase, StorageBackend, StorageError, TableHandle,
};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// How a store is opened.
pub struct Options {
    /// What an answered write survives; not of memory.
    pub durability: Durability,
    /// How much is kept.
    pub retention: Retention,
    /// Of which epochs are made.
    pub entropy: Entropy,
    /// Bytes that a store in memory may hold.
    pub memory_bytes: u64,
    /// Bytes of the engine's cache.
    pub cache_bytes: usize,
    /// Tells one start of the operating system from another. Where it is unknown, each may be another.
    pub boot: Option<u64>,
}

impl Options {
    /// The defaults around this retention and source of epochs.
    pub fn new(retention: Retention, entropy: Entropy) -> Self {
        Self {
            durability: Durability::default(),
            retention,
            entropy,
            memory_bytes: MEMORY_BYTES,
            cache_bytes: CACHE_BYTES,
            boot: None,
        }
    }
}

/// What lies beneath.
#[derive(Debug)]
pub(super) enum Place {
    Memory(Memory),
    File(PathBuf),
    CrashDisk(CrashDisk),
}

/// An engine that is open.
pub(super) struct Opened {
    pub database: Database,
    /// Which file it is: see [`folder::identity`]. `None` where it is none.
    file: Option<(u64, u64)>,
    /// Of `process`: its commits wait for the disk while this is set.
    waits: Option<Arc<AtomicBool>>,
}

/// The version of what is written. 1 had no checksums; no release wrote it.
pub(super) const FORMAT: u64 = 2;
/// What a store in memory may hold where nothing else is said: 1 GiB.
const MEMORY_BYTES: u64 = 1024 * 1024 * 1024;
/// The engine's cache where nothing else is said.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// The key of a run's mark among the store's own.
const RUNNING: &str = "running";
/// The mark of a run under a start of the system that is unknown.
const UNKNOWN_BOOT: u64 = 0;

impl Place {
    /// What it is called in sentences.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Memory(_) => "the memory".into(),
            Self::CrashDisk(_) => "the disk".into(),
        }
    }

    /// Whether there is so much room at the most, on the disk and in what the file holds already. `None` where nobody can say.
    pub fn room(&self) -> Option<u64> {
        match self {
            Self::Memory(memory) => Some(memory.capacity()),
            Self::File(path) => folder::room(path),
            Self::CrashDisk(_) => None,
        }
    }
}

impl Opened {
    /// Opens the engine and sees that what is there is ours. `is_again`: this process had it open before.
    pub fn open(
        place: &Place,
        options: &Options,
        marks: &Marks,
        is_again: bool,
    ) -> Result<Self, StoreError> {
        let name = place.name();
        // Damage may show as early as here.
        let open = || {
            let opened = Self::begin(place, options, marks).map_err(Trouble::Told)?;
            opened.see_format(&name)?;
            opened.begin_run(&name, options, is_again)?;
            marks.keep();
            Ok(opened)
        };
        troubles::guarded(&name, open).map_err(Trouble::told)
    }

    fn begin(place: &Place, options: &Options, marks: &Marks) -> Result<Self, StoreError> {
        let mut builder = Database::builder();
        let mut identity = None;
        builder.set_cache_size(options.cache_bytes);
        let opened = match place {
            Place::Memory(memory) => {
                let of_marks = memory.clone();
                let give_back = Box::new(move |end| of_marks.give_back(end));
                let memory = Marked::begin(memory.clone(), marks.clone(), give_back);
                memory
                    .map_err(|error| StorageError::Io(error).into())
                    .and_then(|memory| Self::upon(&builder, memory, Durability::Power))
            }
            Place::CrashDisk(disk) => Self::upon(&builder, disk.clone(), options.durability),
            Place::File(path) => {
                let file = folder::open(path, options.durability)?;
                let of_marks = file
                    .try_clone()
                    .map_err(|error| troubles::of_io(&error, Some(path)))?;
                identity = (of_marks.metadata().ok()).and_then(|found| folder::identity(&found));
                let give_back = Box::new(move |end| folder::give_back(&of_marks, end));
                FileBackend::new(file).and_then(|file| {
                    let file =
                        Marked::begin(file, marks.clone(), give_back).map_err(StorageError::Io)?;
                    Self::upon(&builder, file, options.durability)
                })
            }
        };
        let mut opened = opened.map_err(|error| of_opening(&place.name(), error))?;
        opened.file = identity;
        Ok(opened)
    }

    fn upon(
        builder: &Builder,
        inner: impl StorageBackend,
        durability: Durability,
    ) -> Result<Self, DatabaseError> {
        let (database, waits) = match durability {
            Durability::Power => (builder.create_with_backend(inner)?, None),
            Durability::Process => {
                let waits = Arc::new(AtomicBool::new(false));
                let of_backend = waits.clone();
                let backend = Unsynced {
                    inner,
                    waits: of_backend,
                };
                (builder.create_with_backend(backend)?, Some(waits))
            }
        };
        let file = None;
        Ok(Self {
            database,
            file,
            waits,
        })
    }

    /// Whether another file stands where this one was opened, or none. A path that cannot be looked at proves nothing.
    pub fn is_gone(&self, place: &Place) -> bool {
        let (Place::File(path), Some(file)) = (place, self.file) else {
            return false;
        };
        match std::fs::metadata(path) {
            Ok(found) => folder::identity(&found).is_some_and(|found| found != file),
            Err(error) => matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }

    /// What is there is of this format, or nothing is.
    fn see_format(&self, name: &str) -> Result<(), Trouble> {
        let failed = |error: redb::Error| of_engine(name, &error);
        let transaction = self
            .database
            .begin_read()
            .map_err(|error| failed(error.into()))?;
        let mut tables = transaction
            .list_tables()
            .map_err(|error| failed(error.into()))?
            .peekable();
        let mut multimaps = transaction
            .list_multimap_tables()
            .map_err(|error| failed(error.into()))?;
        let is_empty = tables.peek().is_none() && multimaps.next().is_none();
        if is_empty {
            return Ok(());
        }
        // A store is made in one transaction: whatever has tables and no format was made by somebody else.
        let foreign = || {
            let reason = "it is the database of another program: give this one a folder of its own (store.path)";
            Trouble::Told(damaged(name, reason))
        };
        if !tables.any(|table| table.name() == META.name()) {
            return Err(foreign());
        }
        // This table alone first: of another format the others may not even be understood.
        let meta = transaction
            .open_table(META)
            .map_err(|error| failed(error.into()))?;
        let found = meta.get("format").map_err(|error| failed(error.into()))?;
        let found = found.ok_or_else(foreign)?.value();
        if found == FORMAT {
            return Ok(());
        }
        let (path, known) = (name.to_owned(), FORMAT);
        Err(Trouble::Told(if found > FORMAT {
            StoreError::Newer { path, found, known }
        } else {
            StoreError::Older { path, found, known }
        }))
    }

    /// Makes what is not there, and sets or takes away the mark of a run.
    fn begin_run(&self, name: &str, options: &Options, is_again: bool) -> Result<(), Trouble> {
        let failed = |error: redb::Error| of_engine(name, &error);
        let (found_format, found_mark) = self.marks(name)?;
        let mark = self
            .waits
            .as_ref()
            .map(|_| options.boot.unwrap_or(UNKNOWN_BOOT));
        let is_set_back = !is_again
            && found_mark.is_some_and(|boot| boot == UNKNOWN_BOOT || Some(boot) != options.boot);
        if found_format && !is_set_back && found_mark == mark {
            return Ok(());
        }
        // A mark that a power cut takes back with the rest would be none.
        self.set_waits(true);
        let transaction = self
            .database
            .begin_write()
            .map_err(|error| failed(error.into()))?;
        {
            let mut tables = Tables::open(&transaction, &*options.entropy, options.retention)
                .map_err(|error| failed(error.into()))?;
            let begin = |tables: &mut Tables<'_>| {
                tables.set_format(FORMAT)?;
                tables.set_mark(RUNNING, mark)?;
                if is_set_back {
                    return tables.begin_new_epochs();
                }
                Ok(0)
            };
            let streams = begin(&mut tables).map_err(|error| failed(error.into()))?;
            if streams > 0 {
                tracing::warn!(
                    streams,
                    "the system ended while a store of durability `process` was open: what it last wrote may be lost, and all devices are told so (new epochs)"
                );
            }
        }
        transaction.commit().map_err(|error| failed(error.into()))?;
        self.set_waits(false);
        Ok(())
    }

    /// Of `process`: whether a commit waits for the disk.
    fn set_waits(&self, waits: bool) {
        if let Some(flag) = &self.waits {
            flag.store(waits, Relaxed);
        }
    }

    /// Whether there is a store, and the mark of a run that has not ended.
    fn marks(&self, name: &str) -> Result<(bool, Option<u64>), Trouble> {
        let failed = |error: redb::Error| of_engine(name, &error);
        let transaction = self
            .database
            .begin_read()
            .map_err(|error| failed(error.into()))?;
        let meta = match transaction.open_table(META) {
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok((false, None)),
            meta => meta.map_err(|error| failed(error.into()))?,
        };
        let mark = meta.get(RUNNING).map_err(|error| failed(error.into()))?;
        Ok((true, mark.map(|mark| mark.value())))
    }

    /// Ends a run as it should: all of it is on the disk, and then its mark goes.
    pub fn end(self, name: &str) -> Result<(), StoreError> {
        let failed = |error: redb::Error| of_engine(name, &error);
        let end = || {
            if self.waits.is_some() {
                // This commit, and with it all before it.
                self.set_waits(true);
                let transaction = self
                    .database
                    .begin_write()
                    .map_err(|error| failed(error.into()))?;
                {
                    let mut meta = transaction
                        .open_table(META)
                        .map_err(|error| failed(error.into()))?;
                    meta.remove(RUNNING).map_err(|error| failed(error.into()))?;
                }
                transaction.commit().map_err(|error| failed(error.into()))?;
            }
            self.database.close().map_err(|error| failed(error.into()))
        };
        troubles::guarded(name, end).map_err(Trouble::told)
    }
}
