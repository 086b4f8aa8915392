//! The client in numbers: for drivers behind a boundary that only numbers cross, and for traces.
//!
//! - [`codes`] gives each input, output and outcome its number; `js-shim/src/core/codes.ts` repeats them, and a test compares
//!   the two files
//! - [`input`] and [`set_option`]: numbers become inputs and settings
//! - [`numbers`], [`deadline`], [`misuse_code`]: what comes of them becomes numbers

pub mod codes;
mod inputs;
mod options;
mod outputs;

pub use inputs::input;
pub use options::set_option;
pub use outputs::{numbers, phase_numbers};

use crate::{ApiMisuse, Client, Millis};

/// In how many milliseconds the next deadline is; [`codes::NONE`] when there is none. None is further ahead than 31 bits can say.
pub fn deadline(client: &Client, now: Millis) -> i32 {
    client
        .poll_timeout()
        .map_or(codes::NONE, |at| at.0.wrapping_sub(now.0) as i32)
}

/// What a call answers that broke a rule.
pub fn misuse_code(misuse: ApiMisuse) -> i32 {
    match misuse {
        ApiMisuse::Destroyed => codes::MISUSE_DESTROYED,
        ApiMisuse::RequestIdOutOfTurn => codes::MISUSE_REQUEST_ID,
        ApiMisuse::ListenerIdOutOfTurn => codes::MISUSE_LISTENER_ID,
        ApiMisuse::BadPattern => codes::MISUSE_BAD_PATTERN,
        ApiMisuse::TooManyListeners => codes::MISUSE_TOO_MANY_LISTENERS,
        ApiMisuse::UnknownEvent => codes::MISUSE_UNKNOWN_EVENT,
        ApiMisuse::NoSuchStream => codes::MISUSE_NO_SUCH_STREAM,
        ApiMisuse::StreamInUse => codes::MISUSE_STREAM_IN_USE,
    }
}
