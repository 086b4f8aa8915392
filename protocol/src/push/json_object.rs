//! A JSON body as an ordered object whose values keep their spelling.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::PushError;
use crate::json::write_str;

/// A JSON object as ordered names and raw values. Duplicates: the last value counts, at the first one's place.
pub(super) struct Object<'a> {
    entries: Vec<(String, &'a RawValue)>,
    places: HashMap<String, usize>,
}

impl<'a> Object<'a> {
    /// Reads an object of at most `limit` fields.
    pub(super) fn parse(raw: &'a RawValue, limit: usize) -> Result<Self, PushError> {
        let list: Ordered<'a> = serde_json::from_str(raw.get()).map_err(|_| PushError::NotJson)?;
        if list.0.len() > limit {
            return Err(PushError::TooManyFields { limit });
        }
        let mut object = Self {
            entries: Vec::new(),
            places: HashMap::new(),
        };
        for (name, value) in list.0 {
            match object.places.get(&name) {
                Some(&place) => object.entries[place].1 = value,
                None => {
                    object.places.insert(name.clone(), object.entries.len());
                    object.entries.push((name, value));
                }
            }
        }
        Ok(object)
    }

    /// The value of a field.
    pub(super) fn field(&self, name: &str) -> Option<&'a RawValue> {
        self.places.get(name).map(|&place| self.entries[place].1)
    }

    /// The object as JSON text; `write` spells the values, given their names.
    pub(super) fn encode(&self, write: impl Fn(&mut String, &str, &RawValue)) -> String {
        let mut out = String::from("{");
        for (at, (name, value)) in self.entries.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write_str(&mut out, name);
            out.push(':');
            write(&mut out, name, value);
        }
        out.push('}');
        out
    }
}

struct Ordered<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> serde::Deserialize<'de> for Ordered<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        struct Entries<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Entries<'a> {
            type Value = Ordered<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            // The list is bounded by the size of the body.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<'a>, A::Error> {
                let mut list = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    list.push(entry);
                }
                Ok(Ordered(list))
            }
        }
        json.deserialize_map(Entries(PhantomData))
    }
}
