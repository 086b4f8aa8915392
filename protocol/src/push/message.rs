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
//! As in PHP, a text with a lone surrogate is not JSON, and stays text. What is JSON and not readable for every client (nested
//! too deeply, a number beyond a 64-bit float) is refused: it would arrive as another kind of value than was meant.

use crate::PushError;
use crate::json::{self, Flaw};

/// Appends what the text of `msg` becomes.
///
/// # Errors
/// [`PushError::TooDeep`] and [`PushError::NumberTooLarge`].
pub(super) fn write(out: &mut String, text: &str, depth_limit: usize) -> Result<(), PushError> {
    let decoded = json::parse(text).filter(|raw| raw.get() != "null");
    match decoded.map(|raw| (raw.get(), json::flaw(raw.get(), depth_limit))) {
        Some((json, None)) => out.push_str(json),
        None | Some((_, Some(Flaw::LoneSurrogate))) => json::write_str(out, text),
        Some((_, Some(Flaw::TooDeep))) => return Err(PushError::TooDeep { limit: depth_limit }),
        Some((_, Some(Flaw::NumberTooLarge))) => {
            return Err(PushError::NumberTooLarge {
                field: "msg".into(),
            });
        }
    }
    Ok(())
}
