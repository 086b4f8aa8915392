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

/// What not every client can read in JSON that is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    /// It nests deeper than the limit.
    TooDeep,
    /// A lone surrogate such as `"\ud800"`: no Unicode text.
    LoneSurrogate,
    /// A number beyond what a 64-bit float holds, such as `1e999`.
    NumberTooLarge,
}

/// Looks through this (valid) JSON text once for what not every client can read. `depth_limit`: levels of arrays and
/// objects.
pub(crate) fn flaw(json: &str, depth_limit: usize) -> Option<Flaw> {
    let bytes = json.as_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > depth_limit {
                    return Some(Flaw::TooDeep);
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => match string_end(bytes, at + 1) {
                Some(end) => at = end,
                None => return Some(Flaw::LoneSurrogate),
            },
            b'-' | b'0'..=b'9' => {
                let is_of_number =
                    |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
                let length = bytes[at..]
                    .iter()
                    .take_while(|byte| is_of_number(byte))
                    .count();
                // Up to here nothing is too large without an exponent.
                let number = &json[at..at + length];
                if (length > SURELY_FINITE_DIGITS || number.contains(['e', 'E']))
                    && !number.parse::<f64>().is_ok_and(f64::is_finite)
                {
                    return Some(Flaw::NumberTooLarge);
                }
                at += length - 1;
            }
            _ => {}
        }
        at += 1;
    }
    None
}

/// So many digits without an exponent are below the largest 64-bit float, which has 309.
const SURELY_FINITE_DIGITS: usize = 300;

/// Where the string that begins at `at`, behind its quote, has its closing quote; `None` where it holds a lone surrogate.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match bytes.get(at) {
            Some(b'\\') => match code_unit(bytes, at) {
                Some(0xD800..=0xDBFF) => match code_unit(bytes, at + 6) {
                    Some(0xDC00..=0xDFFF) => at += 12,
                    _ => return None,
                },
                Some(0xDC00..=0xDFFF) => return None,
                Some(_) => at += 6,
                None => at += 2,
            },
            Some(b'"') | None => return Some(at),
            Some(_) => at += 1,
        }
    }
}

/// The code unit of a `\uXXXX` at `at`, if one is there.
fn code_unit(bytes: &[u8], at: usize) -> Option<u16> {
    let escape = bytes.get(at..at + 6)?;
    let hex = escape.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_counted_outside_strings_only() {
        assert_eq!(flaw(r#"{"a":"[[[[\"[["}"#, 1), None);
        assert_eq!(flaw("[[1],[2]]", 2), None);
        assert_eq!(flaw("[[[1]]]", 2), Some(Flaw::TooDeep));
    }

    #[test]
    fn surrogates_must_come_in_pairs() {
        assert_eq!(flaw(r#""\ud83d\ude00 \\ud800 \u4e00""#, 0), None);
        for lone in [
            r#""\ud83d""#,
            r#""\ud83d\u0041""#,
            r#"{"\uDC00":1}"#,
            r#"["\\\ud800"]"#,
        ] {
            assert_eq!(flaw(lone, 9), Some(Flaw::LoneSurrogate), "{lone}");
        }
    }

    #[test]
    fn numbers_must_fit_a_float_and_keep_any_spelling() {
        let digits = |count: usize| "9".repeat(count);
        for fits in [
            "1e308",
            "-1E+308",
            "0e999999",
            "12345678901234567890",
            "-0",
            "1.0e-999",
            &digits(308),
        ] {
            assert_eq!(flaw(&format!("[{fits},\"1e999\"]"), 1), None, "{fits}");
        }
        for large in ["1e999", "-1E309", "0.1e400", &digits(310)] {
            assert_eq!(
                flaw(&format!("{{\"a\":[1,{large}]}}"), 2),
                Some(Flaw::NumberTooLarge),
                "{large}"
            );
        }
    }
}
