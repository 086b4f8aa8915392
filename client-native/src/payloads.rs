//! The payloads that the core knows by number only.
//!
//! Each reference is answered by the core with exactly one of settle, news, pong or release, so this store is
//! bounded by what one batch of inputs brought in, and by what the core keeps of durable streams.

use std::collections::HashMap;

use heartline_client_core::PayloadRef;
use serde_json::value::RawValue;
use slab::Slab;

use crate::Push;

/// What is kept under a reference.
pub(crate) enum Payload {
    /// The data of a reply, or the uuid of a server ping.
    Raw(Box<RawValue>),
    /// A push.
    Push(Push),
    /// A stored push, kept until it was handled.
    Stored(Push),
}

#[derive(Default)]
pub(crate) struct Payloads(Slab<Payload>);

impl Payloads {
    pub(crate) fn insert(&mut self, payload: Payload) -> PayloadRef {
        // Fewer than 2^32 payloads fit into memory.
        PayloadRef(self.0.insert(payload) as u32)
    }

    /// Takes a payload out. One that was taken before is `null`: the core promises that this does not happen.
    pub(crate) fn take_raw(&mut self, body: PayloadRef) -> Box<RawValue> {
        match self.0.try_remove(body.0 as usize) {
            Some(Payload::Raw(raw)) => raw,
            other => {
                debug_assert!(other.is_none(), "a push is not taken");
                debug_assert!(false, "payload {} was answered twice", body.0);
                RawValue::NULL.to_owned()
            }
        }
    }

    pub(crate) fn push(&self, body: PayloadRef) -> Option<&Push> {
        match self.0.get(body.0 as usize) {
            Some(Payload::Push(push) | Payload::Stored(push)) => Some(push),
            _ => None,
        }
    }

    pub(crate) fn release(&mut self, body: PayloadRef) {
        let released = self.0.try_remove(body.0 as usize);
        debug_assert!(released.is_some(), "payload {} was released twice", body.0);
        if self.0.is_empty() {
            // An idle client keeps no memory for payloads.
            self.0.shrink_to_fit();
        }
    }

    /// How many are kept that an input's own outputs must answer.
    pub(crate) fn loose(&self) -> usize {
        let kept = self
            .0
            .iter()
            .filter(|(_, payload)| matches!(payload, Payload::Stored(_)));
        self.0.len() - kept.count()
    }
}

/// A field of a JSON object, as it is spelled. Duplicates: the last one counts.
pub(crate) fn field<'a>(object: &'a RawValue, name: &str) -> Option<&'a RawValue> {
    let fields: HashMap<String, &RawValue> = serde_json::from_str(object.get()).ok()?;
    fields.get(name).copied()
}
