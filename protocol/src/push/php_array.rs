//! Form names such as `to[0]`, `to[]`, `extra[a][b]`, as PHP reads them: arrays with ordered keys.
//!
//! An array whose keys are 0, 1, 2 … in order is written as a JSON array, any other as an object, as PHP's
//! `json_encode` does. A name that is not a word followed by whole `[…]` groups is an ordinary name; names are never
//! respelled (PHP turns dots and spaces into underscores).

use std::collections::HashMap;

use crate::{PushError, json};

/// A value of a form.
#[derive(Debug)]
pub(super) enum Value {
    /// What was sent.
    Text(String),
    /// What names with brackets build.
    Array(PhpArray),
}

/// An ordered map. Setting a key again keeps its place.
#[derive(Debug, Default)]
pub(super) struct PhpArray {
    entries: Vec<(String, Value)>,
    places: HashMap<String, usize>,
    /// The key that the next `[]` gets: one more than the greatest number so far.
    next: u64,
}

impl PhpArray {
    /// Sets the field `name` to `text`, building arrays on the way. Answers whether something gave way that was set
    /// before, as it does in PHP: the last one counts.
    pub(super) fn insert(
        &mut self,
        name: &str,
        text: &str,
        depth_limit: usize,
    ) -> Result<bool, PushError> {
        let (base, keys) = split_name(name);
        if keys.len() > depth_limit {
            return Err(PushError::TooDeep { limit: depth_limit });
        }
        let mut replaced = false;
        let (mut value, mut was_set) = self.slot(base);
        for key in keys {
            replaced |= was_set && matches!(value, Value::Text(_));
            let array = value.array();
            (value, was_set) = if key.is_empty() {
                array.slot(&array.next.to_string())
            } else {
                array.slot(key)
            };
        }
        replaced |= was_set;
        *value = Value::Text(text.to_owned());
        Ok(replaced)
    }

    /// Sets a field of the outermost level that is not there yet.
    pub(super) fn append(&mut self, name: &str, text: &str) {
        *self.slot(name).0 = Value::Text(text.to_owned());
    }

    /// The value of a plain name.
    pub(super) fn field(&self, name: &str) -> Option<&Value> {
        self.places.get(name).map(|&place| &self.entries[place].1)
    }

    /// All values, if every one of them is a text.
    pub(super) fn texts<'a>(&'a self) -> Option<Vec<&'a str>> {
        let text = |(_, value): &'a (String, Value)| match value {
            Value::Text(text) => Some(text.as_str()),
            Value::Array(_) => None,
        };
        self.entries.iter().map(text).collect()
    }

    /// The form as a JSON object. `write` spells the texts of the outermost level, given their names.
    pub(super) fn encode(
        &self,
        write: impl Fn(&mut String, &str, &str) -> Result<(), PushError>,
    ) -> Result<String, PushError> {
        let mut out = String::from("{");
        for (at, (name, value)) in self.entries.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            json::write_str(&mut out, name);
            out.push(':');
            match value {
                Value::Text(text) => write(&mut out, name, text)?,
                Value::Array(array) => array.write(&mut out),
            }
        }
        out.push('}');
        Ok(out)
    }

    /// Recursion is bounded by the depth that `insert` allows.
    fn write(&self, out: &mut String) {
        let is_list = self
            .entries
            .iter()
            .enumerate()
            .all(|(at, (key, _))| *key == at.to_string());
        out.push(if is_list { '[' } else { '{' });
        for (at, (key, value)) in self.entries.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            if !is_list {
                json::write_str(out, key);
                out.push(':');
            }
            match value {
                Value::Text(text) => json::write_str(out, text),
                Value::Array(array) => array.write(out),
            }
        }
        out.push(if is_list { ']' } else { '}' });
    }

    /// The value under `key`, made if it is not there, and whether it was.
    fn slot(&mut self, key: &str) -> (&mut Value, bool) {
        let place = *self
            .places
            .entry(key.to_owned())
            .or_insert(self.entries.len());
        let was_there = place < self.entries.len();
        if !was_there {
            if let Some(number) = canonical_number(key) {
                self.next = self.next.max(number.saturating_add(1));
            }
            self.entries
                .push((key.to_owned(), Value::Text(String::new())));
        }
        (&mut self.entries[place].1, was_there)
    }
}

impl Value {
    /// This value as an array; a text that stood here gives way, as in PHP.
    fn array(&mut self) -> &mut PhpArray {
        if let Self::Text(_) = self {
            *self = Self::Array(PhpArray::default());
        }
        match self {
            Self::Array(array) => array,
            Self::Text(_) => unreachable!("just replaced"),
        }
    }
}

/// `extra[a][]` → `("extra", ["a", ""])`; a name of another shape → itself, no keys.
fn split_name(name: &str) -> (&str, Vec<&str>) {
    let Some((base, mut rest)) = name.find('[').map(|at| name.split_at(at)) else {
        return (name, Vec::new());
    };
    let mut keys = Vec::new();
    while let Some((key, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        keys.push(key);
        rest = after;
    }
    if base.is_empty() || !rest.is_empty() {
        (name, Vec::new())
    } else {
        (base, keys)
    }
}

/// The number that `key` spells without leading zeros, within what PHP calls an integer.
fn canonical_number(key: &str) -> Option<u64> {
    let number = key
        .parse::<u64>()
        .ok()
        .filter(|n| i64::try_from(*n).is_ok())?;
    (number.to_string() == key).then_some(number)
}
