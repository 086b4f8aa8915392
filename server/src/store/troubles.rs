//! What the engine's errors and panics mean to us: whose fault it is, and whether the engine must be opened again.

use super::promise::StoreError;
use redb::{DatabaseError, Error};
use std::any::Any;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// What became of a call to the engine.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It does nothing more until it is opened again; nothing was written.
    Ended(String),
    /// Told as it is.
    Told(StoreError),
}

impl Trouble {
    pub fn told(self) -> StoreError {
        match self {
            Self::Ended(reason) => StoreError::Io(reason),
            Self::Told(error) => error,
        }
    }
}

/// Calls the engine. It trusts its pages: on one that is damaged it may panic, and goes on with the others.
pub(super) fn guarded<T>(
    place: &str,
    call: impl FnOnce() -> Result<T, Trouble>,
) -> Result<T, Trouble> {
    // What the engine leaves behind is its own to judge: a lock that it can no longer trust it reports as such.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|panic| Err(of_panic(place, &*panic)))
}

/// What an error of the engine means.
pub(super) fn of_engine(place: &str, error: &Error) -> Trouble {
    match error {
        Error::PreviousIo | Error::DatabaseClosed | Error::LockPoisoned(_) => {
            Trouble::Ended(error.to_string())
        }
        Error::Io(error) => Trouble::Told(of_content(place, error)),
        Error::Backend(_) | Error::Unsupported | Error::ValueTooLarge(_) => {
            Trouble::Told(StoreError::Io(error.to_string()))
        }
        other => Trouble::Told(damaged(place, other)),
    }
}

/// Why the engine did not open.
pub(super) fn of_opening(place: &str, error: DatabaseError) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse(place.to_owned()),
        other => of_engine(place, &other.into()).told(),
    }
}

/// What an error of the file system means.
pub(super) fn of_io(error: &io::Error, path: Option<&Path>) -> StoreError {
    match (error.kind(), path) {
        (ErrorKind::StorageFull | ErrorKind::QuotaExceeded, _) => StoreError::Full,
        (ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem, Some(path)) => {
            StoreError::NotWritable {
                path: path.display().to_string(),
                reason: error.to_string(),
            }
        }
        (_, Some(path)) => StoreError::Io(format!("{}: {error}", path.display())),
        (_, None) => StoreError::Io(error.to_string()),
    }
}

/// The file is not what it must be.
pub(super) fn damaged(place: &str, reason: impl ToString) -> StoreError {
    StoreError::Damaged {
        path: place.to_owned(),
        reason: reason.to_string(),
    }
}

/// An error while reading or writing: the content may be to blame, not the disk.
fn of_content(place: &str, error: &io::Error) -> StoreError {
    match error.kind() {
        // The engine's word for a file that is none of its own, and what a file that was cut off leads to.
        ErrorKind::InvalidData | ErrorKind::UnexpectedEof => damaged(place, error),
        _ => of_io(error, None),
    }
}

fn of_panic(place: &str, panic: &(dyn Any + Send)) -> Trouble {
    let said = panic.downcast_ref::<String>().map(String::as_str);
    let said = said.or_else(|| panic.downcast_ref::<&str>().copied());
    let said = said.unwrap_or("no reason");
    // A lock that an earlier panic has left: nothing more can be done with this engine.
    if said.contains("PoisonError") {
        return Trouble::Ended(format!("the engine has ended: {said}"));
    }
    let reason = format!("the engine gave up on what is in it ({said})");
    Trouble::Told(damaged(place, reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::StorageError;

    fn told(error: io::Error) -> String {
        let error = DatabaseError::Storage(StorageError::Io(error));
        of_opening("the file", error).to_string()
    }

    #[test]
    fn a_disk_is_not_blamed_on_the_file_nor_the_file_on_the_disk() {
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
            assert!(told(kind.into()).starts_with("the disk is full"));
        }
        let failed = told(io::Error::other("Input/output error"));
        assert_eq!(failed, "the disk failed: Input/output error");
        for kind in [ErrorKind::InvalidData, ErrorKind::UnexpectedEof] {
            assert!(told(kind.into()).starts_with("the file cannot be read as a store"));
        }
        let corrupted = StorageError::Corrupted("a page".into());
        let told = of_opening("the file", DatabaseError::Storage(corrupted)).to_string();
        assert!(
            told.starts_with("the file cannot be read as a store"),
            "{told}"
        );
    }

    #[test]
    fn a_folder_that_may_not_be_written_is_named_with_the_remedy() {
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            let told = of_io(&kind.into(), Some(Path::new("/srv/line"))).to_string();
            assert!(
                told.starts_with("/srv/line cannot be written by this process ("),
                "{told}"
            );
            assert!(told.contains("store.path"), "{told}");
        }
    }

    #[test]
    fn a_panic_is_damage_and_a_poisoned_lock_is_the_end() {
        let damage = guarded::<()>("the file", || panic!("index out of bounds"));
        let damage = damage.unwrap_err().told().to_string();
        assert!(damage.contains("gave up on what is in it (index out of bounds)"));
        let end = guarded::<()>("the file", || panic!("called unwrap: PoisonError {{ .. }}"));
        assert!(matches!(end, Err(Trouble::Ended(_))), "{end:?}");
    }
}
