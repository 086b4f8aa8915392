//! What waits for the line: requests that asked to be queued, in order, within bounds of count and bytes.
//! (Their age is a deadline like any other and lives in `pool.rs`.)

use crate::{Config, RequestId};

/// One request that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) id: RequestId,
    /// Non-zero: a later request of this key takes its place.
    pub(crate) key: u32,
    pub(crate) bytes: u32,
    pub(crate) before_login: bool,
}

/// The queue, oldest first. Linear in places: it is short, and a `VecDeque` would cost half a kilobyte more of wasm.
#[derive(Default)]
pub(crate) struct Outbox {
    entries: Vec<Entry>,
    bytes: u32,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> u32 {
        self.bytes
    }

    /// Whether one more entry of this size fits.
    pub(crate) fn has_room(&self, bytes: u32, config: &Config) -> bool {
        self.entries.len() < config.outbox_max_entries as usize
            && self.bytes.saturating_add(bytes) <= config.outbox_max_bytes
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.insert(self.entries.len(), entry);
    }

    /// Removes the entry of this key. Linear in the outbox, which is short.
    pub(crate) fn take_key(&mut self, key: u32) -> Option<RequestId> {
        let at = self.entries.iter().position(|e| e.key == key)?;
        Some(self.take_at(at))
    }

    /// Removes the oldest.
    pub(crate) fn take_oldest(&mut self) -> Option<RequestId> {
        (!self.entries.is_empty()).then(|| self.take_at(0))
    }

    /// Puts an entry before the one at `at`.
    pub(crate) fn insert(&mut self, at: usize, entry: Entry) {
        self.bytes += entry.bytes;
        self.entries.insert(at, entry);
    }

    /// Removes everything, oldest first.
    pub(crate) fn take_all(&mut self) -> Vec<Entry> {
        self.bytes = 0;
        std::mem::take(&mut self.entries)
    }

    pub(crate) fn remove(&mut self, id: RequestId) {
        if let Some(at) = self.entries.iter().position(|e| e.id == id) {
            self.take_at(at);
        }
    }

    fn take_at(&mut self, at: usize) -> RequestId {
        let entry = self.entries.remove(at);
        self.bytes -= entry.bytes;
        entry.id
    }
}
