//! The door to the engine: every transaction goes through here. It turns the engine's errors and panics into ours, opens it again where
//! it says that it does nothing more, and leaves a disk that is full or fails in peace for a while.

use super::opening::{Opened, Options, Place};
use super::promise::StoreError;
use super::room::Marks;
use super::tables::Tables;
use super::troubles::{Trouble, guarded, of_engine};
use redb::{Database, ReadTransaction, ReadableDatabase, StorageError};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError, RwLock};

/// The engine of one store.
pub(super) struct Engine {
    current: RwLock<Current>,
    pub place: Place,
    marks: Marks,
    /// The place in sentences.
    name: String,
    pub options: Options,
    /// The time, as it was last told.
    heard_ms: AtomicU64,
    /// What the disk last refused, and until when it is not asked again.
    pause: Mutex<Option<(u64, StoreError)>>,
    /// The file is not at its path any more: nothing is written or opened again until the process ends.
    is_gone: AtomicBool,
}

#[derive(Default)]
struct Current {
    /// `None` only when it could not be opened again.
    opened: Option<Opened>,
    /// How often it was opened again, so that many who find it ended do so once.
    generation: u64,
}

/// A push that takes so much is held against the room that there is before it is tried.
const LARGE_BYTES: u64 = 1024 * 1024;
/// A disk that is full or fails is asked again after so long.
pub(super) const PAUSE_MS: u64 = 1_000;

impl Engine {
    /// Opens it.
    pub fn open(place: Place, options: Options) -> Result<Self, StoreError> {
        let marks = Marks::new();
        let opened = Opened::open(&place, &options, &marks, false)?;
        Ok(Self {
            current: RwLock::new(Current {
                opened: Some(opened),
                generation: 0,
            }),
            marks,
            name: place.name(),
            place,
            options,
            heard_ms: AtomicU64::new(0),
            pause: Mutex::default(),
            is_gone: AtomicBool::new(false),
        })
    }

    /// The caller says what time it is.
    pub fn hear(&self, now_ms: u64) {
        self.heard_ms.store(now_ms, Relaxed);
    }

    /// One transaction that writes, unless the disk has just refused one. `work` may be called twice; only the last counts.
    pub fn write<T>(
        &self,
        work: impl Fn(&mut Tables<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StoreError> {
        match self.paused() {
            Some(error) => Err(error),
            None => self.write_now(work),
        }
    }

    /// Whether so many bytes may find room. Where little is asked for it is not looked: that shows when it is written.
    pub fn has_room(&self, bytes: u64) -> bool {
        bytes < LARGE_BYTES || self.place.room().is_none_or(|room| bytes <= room)
    }

    /// The same, even so: for what makes room.
    pub fn write_now<T>(
        &self,
        work: impl Fn(&mut Tables<'_>) -> Result<T, StorageError>,
    ) -> Result<T, StoreError> {
        self.refuse_if_gone()?;
        let outcome = self.call(|database| self.write_in(database, &work));
        let refused = match &outcome {
            Err(error @ (StoreError::Full | StoreError::Io(_))) => Some(error),
            _ => None,
        };
        self.set_pause(refused);
        outcome
    }

    /// One transaction that reads. `work` may be called twice.
    pub fn read<T>(
        &self,
        work: impl Fn(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        self.call(|database| {
            let read = || work(&database.begin_read()?);
            read().map_err(|error| of_engine(&self.name, &error))
        })
    }

    fn write_in<T>(
        &self,
        database: &Database,
        work: impl Fn(&mut Tables<'_>) -> Result<T, StorageError>,
    ) -> Result<T, Trouble> {
        let write = || -> Result<T, redb::Error> {
            // Dropped without a commit it is undone.
            let transaction = database.begin_write()?;
            let done = {
                let (entropy, retention) = (&*self.options.entropy, self.options.retention);
                work(&mut Tables::open(&transaction, entropy, retention)?)?
            };
            transaction.commit()?;
            self.marks.keep();
            Ok(done)
        };
        write().map_err(|error| of_engine(&self.name, &error))
    }

    /// Calls the engine; where it has ended, once more when it is open again.
    fn call<T>(&self, call: impl Fn(&Database) -> Result<T, Trouble>) -> Result<T, StoreError> {
        let ended = match self.try_call(&call) {
            Ok(done) => return done,
            Err(generation) => generation,
        };
        self.open_again(ended)?;
        self.try_call(&call)
            .unwrap_or_else(|_| Err(StoreError::Io("the engine has ended again".into())))
    }

    /// `Err` with the generation of an engine that must be opened again.
    fn try_call<T>(
        &self,
        call: impl Fn(&Database) -> Result<T, Trouble>,
    ) -> Result<Result<T, StoreError>, u64> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let Some(opened) = &current.opened else {
            // The last attempt to open it has failed.
            return match self.paused() {
                Some(error) => Ok(Err(error)),
                None => Err(current.generation),
            };
        };
        match guarded(&self.name, || call(&opened.database)) {
            Err(Trouble::Ended(_)) => Err(current.generation),
            done => Ok(done.map_err(Trouble::told)),
        }
    }

    /// What was committed is there when it is opened again.
    fn open_again(&self, ended: u64) -> Result<(), StoreError> {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.generation != ended {
            return Ok(());
        }
        if (current.opened.as_ref()).is_some_and(|opened| opened.is_gone(&self.place)) {
            self.set_gone();
        }
        // Opening would make a new file, or take up somebody else's.
        self.refuse_if_gone()?;
        current.generation += 1;
        // The file's lock must be free before it is opened again.
        let before = current.opened.take();
        let _ = guarded(&self.name, || {
            drop(before);
            Ok(())
        });
        match Opened::open(&self.place, &self.options, &self.marks, true) {
            Ok(opened) => {
                current.opened = Some(opened);
                Ok(())
            }
            Err(error) => {
                tracing::error!(%error, "the store cannot be opened again; it is tried once more");
                self.set_pause(Some(&error));
                Err(error)
            }
        }
    }

    /// Sees whether the file still stands at its path.
    pub fn check_place(&self) {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if (current.opened.as_ref()).is_some_and(|opened| opened.is_gone(&self.place)) {
            self.set_gone();
        }
    }

    fn set_gone(&self) {
        if !self.is_gone.swap(true, Relaxed) {
            let error = StoreError::Gone(self.name.clone());
            tracing::error!(%error, "the store's file is gone: pushes that are to be stored are refused");
        }
    }

    fn refuse_if_gone(&self) -> Result<(), StoreError> {
        match self.is_gone.load(Relaxed) {
            true => Err(StoreError::Gone(self.name.clone())),
            false => Ok(()),
        }
    }

    /// How often it was opened again.
    #[cfg(test)]
    pub fn generation(&self) -> u64 {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.generation
    }

    fn set_pause(&self, refused: Option<&StoreError>) {
        let until_ms = self.heard_ms.load(Relaxed).saturating_add(PAUSE_MS);
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        *pause = refused.map(|error| (until_ms, error.clone()));
    }

    fn paused(&self) -> Option<StoreError> {
        let now_ms = self.heard_ms.load(Relaxed);
        let pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        let (until_ms, error) = pause.as_ref()?;
        // A clock that was set back must not make it longer.
        let is_over = now_ms >= *until_ms || until_ms - now_ms > PAUSE_MS;
        (!is_over).then(|| error.clone())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let current = self
            .current
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = current.opened.take()
            && let Err(error) = opened.end(&self.name)
        {
            tracing::warn!(%error, "the store did not end as it should; what was answered is there all the same");
        }
    }
}
