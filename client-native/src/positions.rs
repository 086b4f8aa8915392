//! Where a device's positions are remembered between two lives of its process.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use heartline_protocol::{MAX_STREAMS, parse_epoch};
use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;

/// How far a device has handled a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredPosition {
    /// The epoch in which the offset counts.
    pub epoch: u64,
    /// Everything up to here was handled.
    pub handled: u32,
}

/// Remembers positions. Called under the client's lock, once per handled message: it may write to a disk's cache, but must not
/// wait for anything slower.
///
/// # The promise
///
/// - What `save` has taken is what the next `load` answers, also after a crash of the process.
/// - A `save` that fails leaves the former position in place. The device then repeats messages after a restart; none is lost.
pub trait PositionStore: Send + 'static {
    /// Everything that is remembered, by stream, the one that was stored last at the end. Asked once, when the client is made.
    ///
    /// # Errors
    /// When the storage cannot be read: the client is not made.
    fn load(&mut self) -> io::Result<Vec<(Box<str>, StoredPosition)>>;

    /// Remembers one position.
    ///
    /// # Errors
    /// When it cannot be written.
    fn save(&mut self, stream: &str, position: StoredPosition) -> io::Result<()>;

    /// Forgets the position of a stream: it makes room for another. Without it, the storage only grows.
    ///
    /// # Errors
    /// When it cannot be written.
    fn forget(&mut self, stream: &str) -> io::Result<()> {
        let _ = stream;
        Ok(())
    }
}

/// Positions in the order in which they were stored.
#[derive(Clone, Debug, Default)]
struct Known(Vec<(Box<str>, StoredPosition)>);

impl Known {
    /// Puts a position at the end, in place of the former one.
    fn put(&mut self, stream: &str, position: StoredPosition) {
        self.take(stream);
        self.0.push((stream.into(), position));
    }

    fn take(&mut self, stream: &str) {
        self.0.retain(|(known, _)| **known != *stream);
    }

    fn has(&self, stream: &str) -> bool {
        self.0.iter().any(|(known, _)| **known == *stream)
    }
}

impl<'de> Deserialize<'de> for Known {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Known;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of positions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Known, A::Error> {
                let mut known = Known::default();
                while let Some((stream, (epoch, handled))) =
                    map.next_entry::<Box<str>, (String, u32)>()?
                {
                    let epoch = parse_epoch(&epoch)
                        .ok_or_else(|| A::Error::custom("an epoch is 16 hexadecimal digits"))?;
                    known.put(&stream, StoredPosition { epoch, handled });
                }
                Ok(known)
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// Positions in memory, for tests and for devices that need not outlive their process. All clones are the same memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryPositions(Arc<Mutex<Known>>);

impl PositionStore for MemoryPositions {
    fn load(&mut self) -> io::Result<Vec<(Box<str>, StoredPosition)>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.0.clone())
    }

    fn save(&mut self, stream: &str, position: StoredPosition) -> io::Result<()> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.put(stream, position);
        Ok(())
    }

    fn forget(&mut self, stream: &str) -> io::Result<()> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.take(stream);
        Ok(())
    }
}

/// Positions in a file of JSON, `{"STREAM":["EPOCH",HANDLED]}`, replaced as a whole: whatever happens, it is the old one or the new one.
///
/// It survives a crash of the process. For a power cut as well, ask for [`FilePositions::synced`], at the price of a disk's
/// flush per message. One client per file.
#[derive(Debug)]
pub struct FilePositions {
    path: PathBuf,
    fresh: PathBuf,
    is_synced: bool,
    known: Known,
}

impl FilePositions {
    /// Positions at `path`; the file is made with the first position, its folder must be there.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        let mut fresh = path.clone().into_os_string();
        fresh.push(".new");
        Self {
            fresh: fresh.into(),
            path,
            is_synced: false,
            known: Known::default(),
        }
    }

    /// Waits for the disk with each position.
    pub fn synced(mut self) -> Self {
        self.is_synced = true;
        self
    }

    fn write(&self, known: &Known) -> io::Result<()> {
        // In their order, which a map of values would not keep.
        let entries = known.0.iter().map(|(stream, at)| {
            let entry = json!([format!("{:016x}", at.epoch), at.handled]);
            format!("{}:{entry}", json!(stream))
        });
        let text = format!("{{{}}}", entries.collect::<Vec<_>>().join(","));
        let mut file = File::create(&self.fresh)?;
        file.write_all(text.as_bytes())?;
        if self.is_synced {
            file.sync_all()?;
        }
        fs::rename(&self.fresh, &self.path)?;
        if self.is_synced {
            let folder = self
                .path
                .parent()
                .filter(|path| !path.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }
}

impl PositionStore for FilePositions {
    fn load(&mut self) -> io::Result<Vec<(Box<str>, StoredPosition)>> {
        let text = match fs::read(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let damaged = |why: &dyn fmt::Display| {
            let path = self.path.display();
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!(
                    "{path} is no file of positions: {why}; mend it, or remove it to begin at the server's memory"
                ),
            )
        };
        self.known = serde_json::from_slice(&text).map_err(|error| damaged(&error))?;
        Ok(self.known.0.clone())
    }

    fn save(&mut self, stream: &str, position: StoredPosition) -> io::Result<()> {
        if self.known.0.len() >= MAX_STREAMS && !self.known.has(stream) {
            return Err(io::Error::other(format!(
                "{} remembers {MAX_STREAMS} streams already, the most there can be",
                self.path.display()
            )));
        }
        let mut known = self.known.clone();
        known.put(stream, position);
        self.write(&known)?;
        self.known = known;
        Ok(())
    }

    fn forget(&mut self, stream: &str) -> io::Result<()> {
        // Removed from what is written next, should this fail.
        self.known.take(stream);
        self.write(&self.known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: StoredPosition = StoredPosition {
        epoch: 0xfe,
        handled: 7,
    };

    /// The one suite that every store is held to; `open` begins the next life.
    fn keeps_its_promise<S: PositionStore>(mut open: impl FnMut() -> S) {
        assert_eq!(open().load().unwrap(), []);
        let mut store = open();
        store.load().unwrap();
        store.save("user:6", AT).unwrap();
        store.save("room:心", AT).unwrap();
        let later = StoredPosition { handled: 8, ..AT };
        store.save("user:6", later).unwrap();
        drop(store);
        let both = [("room:心".into(), AT), ("user:6".into(), later)];
        assert_eq!(open().load().unwrap(), both, "the latest stands last");
        let mut store = open();
        store.load().unwrap();
        store.forget("room:心").unwrap();
        assert_eq!(open().load().unwrap(), [("user:6".into(), later)]);
    }

    #[test]
    fn memory_keeps_its_promise() {
        let memory = MemoryPositions::default();
        keeps_its_promise(|| memory.clone());
    }

    #[test]
    fn files_keep_their_promise() {
        let folder = tempfile::tempdir().unwrap();
        keeps_its_promise(|| FilePositions::new(folder.path().join("plain")));
        keeps_its_promise(|| FilePositions::new(folder.path().join("synced")).synced());
    }

    #[test]
    fn a_file_that_cannot_be_written_keeps_the_former_position() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("positions");
        let mut store = FilePositions::new(&path);
        store.save("user:6", AT).unwrap();
        fs::create_dir(folder.path().join("positions.new")).unwrap();
        assert!(
            store
                .save("user:6", StoredPosition { handled: 9, ..AT })
                .is_err()
        );
        assert_eq!(
            FilePositions::new(&path).load().unwrap(),
            [("user:6".into(), AT)]
        );
    }

    #[test]
    fn a_damaged_file_is_named_and_not_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("positions");
        for text in [
            "",
            "[]",
            r#"{"user:6":["fe",1]}"#,
            r#"{"user:6":["00000000000000fe",-1]}"#,
        ] {
            fs::write(&path, text).unwrap();
            let error = FilePositions::new(&path).load().unwrap_err().to_string();
            assert!(
                error.contains("positions is no file of positions"),
                "{error}"
            );
        }
    }
}
