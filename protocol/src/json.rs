//! Small things about JSON text that the envelope and the push rules share. Payloads are looked at, never rebuilt.

use serde_json::value::RawValue;

/// Appends `text` as a JSON string. UTF-8 stays as it is; only quotes, backslashes and control characters are escaped.
pub(crate) fn write_str(out: &mut String, text: &str) {
    // A `str` always has a JSON spelling, so this cannot fail.
    out.push_str(&serde_json::to_string(text).expect("a str serializes"));
}

/// The text as one JSON value without the white space around it, if that is what it is.
pub(crate) fn parse(text: &str) -> Option<&RawValue> {
    serde_json::from_str(text).ok()
}

/// The string that `raw` spells, or `None` when it is another kind of value, or no Unicode text (a lone surrogate).
pub(crate) fn as_str(raw: &RawValue) -> Option<std::borrow::Cow<'_, str>> {
    #[derive(serde::Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] std::borrow::Cow<'a, str>);
    raw.get()
        .starts_with('"')
        .then(|| {
            serde_json::from_str::<Borrowed<'_>>(raw.get())
                .ok()
                .map(|b| b.0)
        })
        .flatten()
}

/// Does this (valid) JSON text nest at most `limit` levels deep?
pub(crate) fn within_depth(json: &str, limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut bytes = json.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return false;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    true
}

/// Does this (valid) JSON text spell Unicode throughout? A lone surrogate such as `"\ud800"` does not: PHP refuses it.
pub(crate) fn is_unicode(json: &str) -> bool {
    let bytes = json.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] != b'\\' {
            at += 1;
            continue;
        }
        match code_unit(bytes, at) {
            Some(0xD800..=0xDBFF) => match code_unit(bytes, at + 6) {
                Some(0xDC00..=0xDFFF) => at += 12,
                _ => return false,
            },
            Some(0xDC00..=0xDFFF) => return false,
            Some(_) => at += 6,
            None => at += 2,
        }
    }
    true
}

/// The code unit of a `\uXXXX` at `at`, if one is there.
fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?;
    let hex = escape.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

fn skip_string(bytes: &mut impl Iterator<Item = u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => {
                bytes.next();
            }
            b'"' => return,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings_only() {
        assert!(within_depth(r#"{"a":"[[[[\"[["}"#, 1));
        assert!(within_depth("[[1],[2]]", 2));
        assert!(!within_depth("[[[1]]]", 2));
    }

    #[test]
    fn surrogates_must_come_in_pairs() {
        assert!(is_unicode(r#""\ud83d\ude00 \\ud800 \u4e00""#));
        assert!(!is_unicode(r#""\ud83d""#));
        assert!(!is_unicode(r#""\ud83d\u0041""#));
        assert!(!is_unicode(r#"{"\uDC00":1}"#));
    }
}
