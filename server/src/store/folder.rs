//! The folder of the store. A file is only as lasting as its name: with durability `power`, the folder that holds the name, and the one
//! that holds the folder, wait for the disk as well.

use super::backend::Durability;
use super::promise::StoreError;
use super::troubles::of_io;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// Opens the file in this folder, and makes both if they are not there.
///
/// # Errors
/// When the file system refuses.
pub(super) fn open(path: &Path, durability: Durability) -> Result<File, StoreError> {
    open_and(path, durability, sync)
}

/// `sync` is told each folder that must reach the disk.
fn open_and(
    path: &Path,
    durability: Durability,
    mut sync: impl FnMut(&Path) -> io::Result<()>,
) -> Result<File, StoreError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    // The names of folders that are made now, the innermost first.
    let made: Vec<&Path> = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| of_io(&error, Some(&path))
    };
    std::fs::create_dir_all(folder).map_err(refused(folder))?;
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(refused(path))?;
    if durability == Durability::Power {
        // Also where they were there: whoever made them may not have come to this point.
        let mut holders: Vec<&Path> = made.iter().filter_map(|made| made.parent()).collect();
        if holders.is_empty() {
            holders.extend(folder.parent());
        }
        for holder in std::iter::once(folder).chain(holders) {
            let holder = match holder.as_os_str().is_empty() {
                true => Path::new("."),
                false => holder,
            };
            sync(holder).map_err(refused(holder))?;
        }
    }
    Ok(file)
}

/// What tells one file from another: its device and its inode. `None` where the system has no such thing.
#[cfg(unix)]
pub(super) fn identity(found: &std::fs::Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((found.dev(), found.ino()))
}

#[cfg(not(unix))]
pub(super) fn identity(_: &std::fs::Metadata) -> Option<(u64, u64)> {
    None
}

/// What the disk has left together with what the file holds, of which nobody knows how much is free.
#[cfg(unix)]
pub(super) fn room(path: &Path) -> Option<u64> {
    use std::os::unix::fs::MetadataExt;
    let held = std::fs::metadata(path).ok()?.blocks() * 512;
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(
        disk.f_bavail
            .saturating_mul(disk.f_frsize)
            .saturating_add(held),
    )
}

/// Gives the disk back what the file holds from here on; its length stays. Where the system cannot, it stays in the file.
#[cfg(target_os = "linux")]
pub(super) fn give_back(file: &File, from: u64) {
    use rustix::fs::{FallocateFlags, fallocate};
    let Some(len) = (file.metadata().ok()).and_then(|found| found.len().checked_sub(from)) else {
        return;
    };
    let punch = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    if len > 0
        && let Err(error) = fallocate(file, punch, from, len)
    {
        tracing::warn!(%error, bytes = len, "what a failed commit has taken cannot be given back to the disk; the store uses it itself");
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn give_back(_: &File, _: u64) {}

#[cfg(not(unix))]
pub(super) fn room(_: &Path) -> Option<u64> {
    None
}

/// Some systems cannot sync a folder, or do not let us read one that we may write to: there it is theirs to keep.
#[cfg(unix)]
fn sync(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => {
            tracing::debug!(folder = %folder.display(), %error, "the folder of the store is not synced");
            Ok(())
        }
        done => done,
    }
}

#[cfg(not(unix))]
fn sync(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The folders that wait for the disk, below `root`.
    fn synced(root: &Path, path: &Path, durability: Durability) -> Vec<String> {
        let mut seen = Vec::new();
        let note = |folder: &Path| {
            assert!(path.exists(), "the file comes first");
            let below = folder.strip_prefix(root).unwrap();
            seen.push(format!("/{}", below.display()));
            sync(folder)
        };
        open_and(path, durability, note).unwrap();
        seen
    }

    #[test]
    fn every_new_name_reaches_the_disk_with_power_and_none_need_with_process() {
        let root = tempfile::tempdir().unwrap();
        let at = |below: &str| root.path().join(below);
        let sync = |below: &str, durability| synced(root.path(), &at(below), durability);
        assert_eq!(
            sync("a/b/c/file", Durability::Power),
            ["/a/b/c", "/a/b", "/a", "/"]
        );
        assert_eq!(sync("a/b/c/file", Durability::Power), ["/a/b/c", "/a/b"]);
        assert_eq!(sync("d/file", Durability::Process), [""; 0]);
    }

    #[test]
    fn a_folder_that_cannot_be_synced_is_told() {
        let root = tempfile::tempdir().unwrap();
        let full = |_: &Path| Err(io::Error::from(io::ErrorKind::QuotaExceeded));
        let told = open_and(&root.path().join("file"), Durability::Power, full);
        assert!(matches!(told, Err(StoreError::Full)), "{told:?}");
    }
}
