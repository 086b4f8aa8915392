//! What waits for the line: requests that asked to be queued, in order, within bounds of count and bytes.
//! (Their age is a deadline like any other and lives in `pool.rs`.)

use std::collections::VecDeque;

use crate::RequestId;

/// One request that waits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) id: RequestId,
    /// Non-zero: a later request of this key takes its place.
    pub(crate) key: u32,
    pub(crate) bytes: u32,
    pub(crate) before_login: bool,
}

/// The queue, sorted by id since ids only grow.
#[derive(Default)]
pub(crate) struct Outbox {
    entries: VecDeque<Entry>,
    bytes: u64,
}

impl Outbox {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += u64::from(entry.bytes);
        self.entries.push_back(entry);
    }

    /// Removes the entry of this key. Linear in the outbox, which is short.
    pub(crate) fn take_key(&mut self, key: u32) -> Option<RequestId> {
        let at = self.entries.iter().position(|e| e.key == key)?;
        self.take_at(at)
    }

    /// Removes the oldest.
    pub(crate) fn take_oldest(&mut self) -> Option<RequestId> {
        self.take_at(0)
    }

    /// Removes the oldest that may be sent now: any once logged in, else only those that need no login.
    pub(crate) fn take_sendable(&mut self, logged_in: bool) -> Option<RequestId> {
        let at = self
            .entries
            .iter()
            .position(|e| logged_in || e.before_login)?;
        self.take_at(at)
    }

    pub(crate) fn remove(&mut self, id: RequestId) {
        if let Ok(at) = self.entries.binary_search_by(|e| e.id.cmp(&id)) {
            self.take_at(at);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.bytes = 0;
    }

    fn take_at(&mut self, at: usize) -> Option<RequestId> {
        let entry = self.entries.remove(at)?;
        self.bytes -= u64::from(entry.bytes);
        Some(entry.id)
    }
}
