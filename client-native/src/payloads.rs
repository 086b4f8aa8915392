//! The payloads that the core knows by number only.
//!
//! Each reference is answered by the core with exactly one of settle, news, pong or release, so this store is
//! bounded by what one batch of inputs brought in, and by what the core keeps of durable streams.

use std::fmt;

use heartline_client_core::PayloadRef;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
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
    let mut fields = serde_json::Deserializer::from_str(object.get());
    fields.deserialize_map(Field(name)).ok()?
}

/// Looks for the field of this name, past others whose names are no proper text.
struct Field<'n>(&'n str);

impl<'de> Visitor<'de> for Field<'_> {
    type Value = Option<&'de RawValue>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some((name, value)) = map.next_entry::<Name, &RawValue>()? {
            if *name.0 == *self.0.as_bytes() {
                found = Some(value);
            }
        }
        Ok(found)
    }
}

/// A name as bytes: a lone surrogate is no text.
struct Name(Vec<u8>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl Visitor<'_> for Bytes {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Name, E> {
                Ok(Name(bytes.into()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}
