//! The rule of `msg`: a text that is JSON goes as that JSON, in its own spelling; any other text goes as a string.
//!
//! | text | in the frame | |
//! |---|---|---|
//! | `0`, `1.0`, `12345678901234567890` | the same | numbers keep their spelling |
//! | `{"a":1}`, `{}` | the same | |
//! | `"q"` | `"q"` | the string q |
//! | `007` | `"007"` | not JSON |
//! | `null` | `"null"` | the one exception |
//! | (empty) | `""` | |
//!
//! As in PHP, a text with a lone surrogate, or nested too deeply, is not JSON.

use crate::json;

/// Appends what the text of `msg` becomes.
pub(super) fn write(out: &mut String, text: &str, depth_limit: usize) {
    let decoded = json::parse(text).filter(|raw| {
        let raw = raw.get();
        raw != "null" && json::within_depth(raw, depth_limit) && json::is_unicode(raw)
    });
    match decoded {
        Some(raw) => out.push_str(raw.get()),
        None => json::write_str(out, text),
    }
}
