//! The JSON body of a push: an ordered object whose values keep their spelling, and that every client can read. One set of
//! bounds for every way of pushing with JSON.

use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::json::{self, Flaw, write_str};
use crate::{Limits, PushError};

/// A JSON object as ordered names and raw values. Of a field that stands there twice the last value counts, at the first
/// one's place.
///
/// ```
/// use heartline_protocol::{JsonBody, Limits};
/// let body = JsonBody::read(br#"{"to":"user:6","msg":1.0}"#, &Limits::default())?;
/// assert_eq!(body.field("msg").map(|raw| raw.get()), Some("1.0"));
/// # Ok::<(), heartline_protocol::PushError>(())
/// ```
#[derive(Debug)]
pub struct JsonBody<'a> {
    entries: Vec<(String, &'a RawValue)>,
    places: HashMap<String, usize>,
    repeated: Vec<String>,
}

impl<'a> JsonBody<'a> {
    /// Reads a body. A byte-order mark at its head is passed over.
    ///
    /// # Errors
    /// When it is no JSON object in UTF-8, or is not readable for every client: [`PushError::TooDeep`],
    /// [`PushError::LoneSurrogate`], [`PushError::NumberTooLarge`], [`PushError::TooManyFields`].
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, PushError> {
        let whole = || "body".to_owned();
        let text = std::str::from_utf8(bytes).map_err(|_| PushError::NotUtf8 { field: whole() })?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let raw = json::parse(text).ok_or(PushError::NotJson)?;
        let flaw = json::flaw(raw.get(), limits.json_depth);
        if flaw == Some(Flaw::TooDeep) {
            return Err(PushError::TooDeep {
                limit: limits.json_depth,
            });
        }
        if !raw.get().starts_with('{') {
            return Err(PushError::NotAnObject);
        }
        // A name with a lone surrogate is no text, and ends this.
        let list = serde_json::from_str::<Ordered<'a>>(raw.get());
        let list = list.map(|ordered| ordered.0).unwrap_or_default();
        if let Some(flaw) = flaw {
            let has_it = |raw: &RawValue| json::flaw(raw.get(), limits.json_depth) == Some(flaw);
            let found = list.iter().find(|(_, value)| has_it(value));
            let field = found.map_or_else(whole, |(name, _)| shown(name));
            return Err(match flaw {
                Flaw::NumberTooLarge => PushError::NumberTooLarge { field },
                _ => PushError::LoneSurrogate { field },
            });
        }
        if list.len() > limits.push_fields {
            return Err(PushError::TooManyFields {
                limit: limits.push_fields,
            });
        }
        let mut object = Self {
            entries: Vec::new(),
            places: HashMap::new(),
            repeated: Vec::new(),
        };
        for (name, value) in list {
            match object.places.get(&name) {
                Some(&place) => {
                    object.entries[place].1 = value;
                    object.repeated.push(name);
                }
                None => {
                    object.places.insert(name.clone(), object.entries.len());
                    object.entries.push((name, value));
                }
            }
        }
        Ok(object)
    }

    /// The value of a field.
    pub fn field(&self, name: &str) -> Option<&'a RawValue> {
        self.places.get(name).map(|&place| self.entries[place].1)
    }

    /// The names of all fields, each once, in the order in which they came.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// The names that stand there more than once.
    pub fn repeated(&self) -> &[String] {
        &self.repeated
    }

    /// The object as JSON text without the closing brace; `write` spells the values, given their names.
    pub(super) fn encode(
        &self,
        write: impl Fn(&mut String, &str, &RawValue) -> Result<(), PushError>,
    ) -> Result<String, PushError> {
        let mut out = String::from("{");
        for (at, (name, value)) in self.entries.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write_str(&mut out, name);
            out.push(':');
            write(&mut out, name, value)?;
        }
        Ok(out)
    }
}

/// The name of a field as an error may show it: short, and without control characters.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_debug).collect()
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
