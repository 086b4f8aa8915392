//! The envelope of both directions: a JSON object of which a few fields are wanted, and none is parsed.
//!
//! Duplicate fields: the last one counts, as in JavaScript and PHP. Unknown fields are skipped. Values are skipped
//! iteratively, so a value nested 100,000 levels deep costs no stack.

use std::fmt;
use std::str;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::DecodeError;

/// The raw values of `NAMES`, in that order, of the object that `bytes` spell; and the text they are part of.
pub(crate) fn fields<'a, const N: usize>(
    bytes: &'a [u8],
    names: [&str; N],
) -> Result<(&'a str, [Option<&'a RawValue>; N]), DecodeError> {
    let text = str::from_utf8(bytes).map_err(|_| DecodeError::NotUtf8)?;
    // Some platforms put a byte-order mark before the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut json = serde_json::Deserializer::from_str(text);
    let found = json
        .deserialize_map(Fields(names))
        .and_then(|found| json.end().map(|()| found))
        .map_err(|_| reason(text))?;
    Ok((text, found))
}

/// The raw values of `names` in an object that is already known to be JSON; `None` when it is no object.
pub(crate) fn fields_of<'a, const N: usize>(
    raw: &'a RawValue,
    names: [&str; N],
) -> Option<[Option<&'a RawValue>; N]> {
    serde_json::Deserializer::from_str(raw.get())
        .deserialize_map(Fields(names))
        .ok()
}

/// Told apart only after a failure, so that good frames are read once.
fn reason(text: &str) -> DecodeError {
    match serde_json::from_str::<IgnoredAny>(text) {
        Ok(_) => DecodeError::NotAnObject,
        Err(_) => DecodeError::NotJson,
    }
}

struct Fields<'n, const N: usize>([&'n str; N]);

impl<'a, const N: usize> Visitor<'a> for Fields<'_, N> {
    type Value = [Option<&'a RawValue>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(place) = map.next_key_seed(Place(&self.0))? {
            match place {
                Some(place) => found[place] = Some(map.next_value::<&RawValue>()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// Which of the wanted names a key is. Keys are compared as bytes: a key with a lone surrogate is merely unknown.
struct Place<'n>(&'n [&'n str]);

impl<'a> DeserializeSeed<'a> for Place<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'a>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_bytes(self)
    }
}

impl Visitor<'_> for Place<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_bytes<E: serde::de::Error>(self, key: &[u8]) -> Result<Self::Value, E> {
        Ok(self.0.iter().position(|name| name.as_bytes() == key))
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<Self::Value, E> {
        self.visit_bytes(key.as_bytes())
    }
}
