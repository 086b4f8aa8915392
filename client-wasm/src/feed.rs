//! Numbers in: one call per input, answered with the next deadline.

use heartline_client_core::boundary::{self, codes, deadline, misuse_code};
use heartline_client_core::{Client, Epoch, EventId, Input, Millis};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::emit;
use crate::registry::with;

/// Feeds one input. Answers in how many milliseconds the next deadline is, -1 when there is none, or a `MISUSE_*` code.
///
/// `now` is the low half of a clock in milliseconds; JavaScript makes that of any number at a boundary of 32 bits.
/// Every output is emitted before this returns; the driver acts on them afterwards.
#[wasm_bindgen]
pub fn feed(instance: u32, kind: u32, now: u32, a: u32, b: u32, c: u32, d: u32) -> i32 {
    match boundary::input(kind, [a, b, c, d]) {
        Some(input) => handle(instance, now, input),
        None => misuse(codes::MISUSE_NO_SUCH_INPUT),
    }
}

/// The quick way of a push: no time, no payload, nothing to act on. Each listener that hears it is emitted as `OUT_HEARER`,
/// in their order.
///
/// Answers 0. Or `NONE` when nothing was done, because there is more to it: feed `IN_PUSH`.
#[wasm_bindgen]
pub fn push(instance: u32, epoch: u32, event: u32) -> i32 {
    let tell = |client: &mut Client| {
        let hearers = client.push(Epoch(epoch), EventId(event))?;
        for hearer in hearers {
            emit::one(instance, codes::OUT_HEARER, hearer.0);
        }
        Some(0)
    };
    with(instance, tell).flatten().unwrap_or(codes::NONE)
}

/// The id that the next `IN_REQUEST` must carry, or -1 when there is no such client.
#[wasm_bindgen]
pub fn next_request(instance: u32) -> i32 {
    with(instance, |client| client.next_request_id().0 as i32).unwrap_or(codes::NONE)
}

/// Handles `input`, emits every output, answers the next deadline.
pub(crate) fn handle(instance: u32, now: u32, input: Input<'_>) -> i32 {
    let now = Millis(now.into());
    let answer = with(instance, |client| {
        let outcome = client.handle(now, input);
        emit::all(instance, client, now);
        match outcome {
            Ok(()) => deadline(client, now),
            Err(misuse) => misuse_code(misuse),
        }
    });
    let answer = answer.unwrap_or(codes::MISUSE_NO_SUCH_CLIENT);
    if answer < codes::NONE {
        misuse(answer)
    } else {
        answer
    }
}

/// The driver, not the app, broke a rule: says so where there is a console, and hands the code on.
fn misuse(code: i32) -> i32 {
    #[cfg(feature = "report")]
    crate::report::misuse(code);
    code
}
