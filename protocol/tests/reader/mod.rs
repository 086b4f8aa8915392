//! Reads a file of vectors, as `protocol/vectors/README.md` describes it.

use std::collections::HashSet;
use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;

/// One case of a file.
pub struct Case {
    pub name: String,
    pub json: Value,
}

/// The cases of a file. `at_least` guards against a file that lost its cases.
pub fn cases(file: &str, at_least: usize) -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("vectors")
        .join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut json: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    let Value::Array(list) = json["cases"].take() else {
        panic!("{file} has no cases")
    };
    assert!(
        list.len() >= at_least,
        "{file} has {} cases, not {at_least}",
        list.len()
    );
    let mut names = HashSet::new();
    list.into_iter()
        .map(|json| {
            let name = json["name"]
                .as_str()
                .unwrap_or_else(|| panic!("{file}: no name"))
                .to_owned();
            assert!(
                names.insert(name.clone()),
                "{file}: two cases are named {name}"
            );
            Case { name, json }
        })
        .filter(|case| match case.json.get("only") {
            None => true,
            Some(only) => only
                .as_array()
                .is_some_and(|list| list.iter().any(|who| who == "rust")),
        })
        .collect()
}

/// The bytes of an input.
pub fn input_bytes(input: &Value) -> Vec<u8> {
    if let Some(text) = text(&input["text"]) {
        return text.as_bytes().to_vec();
    }
    if let Some(hex) = text(&input["hex"]) {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        return (0..hex.len()).step_by(2).map(byte).collect();
    }
    let parts = input["parts"]
        .as_array()
        .unwrap_or_else(|| panic!("no input: {input}"));
    let part = |part: &Value| {
        let times = part["times"].as_u64().expect("times") as usize;
        text(&part["text"]).expect("text").repeat(times)
    };
    parts.iter().map(part).collect::<String>().into_bytes()
}

/// A text, or `None` for null.
pub fn text(value: &Value) -> Option<&str> {
    value.as_str()
}

/// A raw value, or `None` for null.
pub fn raw(value: &Value) -> Option<&RawValue> {
    text(value).map(|text| serde_json::from_str(text).expect("a raw value is JSON"))
}
