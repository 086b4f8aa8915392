//! What the core knows by number only. Taking one twice, or one that never was, is a failure.

use std::collections::BTreeMap;

/// See the module's page.
#[derive(Debug, Default)]
pub(super) struct Payloads {
    kept: BTreeMap<u32, Payload>,
    last: u32,
}

/// What is kept.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// The data of a reply, or the uuid of a ping.
    Raw(String),
    /// A stored push: its event, its offset, its number.
    Stored(String, u32, u32),
}

impl Payloads {
    pub fn insert(&mut self, payload: Payload) -> heartline_client_core::PayloadRef {
        self.last += 1;
        self.kept.insert(self.last, payload);
        heartline_client_core::PayloadRef(self.last)
    }

    pub fn look(&self, body: heartline_client_core::PayloadRef) -> Option<&Payload> {
        self.kept.get(&body.0)
    }

    pub fn take(&mut self, body: heartline_client_core::PayloadRef) -> Result<Payload, String> {
        let found = self.kept.remove(&body.0);
        found.ok_or_else(|| format!("payload {} was answered for twice", body.0))
    }

    pub fn len(&self) -> usize {
        self.kept.len()
    }
}
