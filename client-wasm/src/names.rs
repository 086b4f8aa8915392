//! The few calls that carry a string: listen patterns and event names. None of them is on the path of a
//! message, because event names are interned once.

use heartline_client_core::{Epoch, Incoming, Input, ListenMode, PayloadRef};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::codes;
use crate::feed::{handle, misuse_code};
use crate::registry::{millis, with};

/// Registers a listener and answers its id, or a `MISUSE_*` code. `replace`: the only one of this pattern.
#[wasm_bindgen]
pub fn listen(instance: u32, now: f64, replace: bool, pattern: &str) -> f64 {
    let mode = if replace {
        ListenMode::Replace
    } else {
        ListenMode::Add
    };
    let answer = with(instance, |client| {
        let listener = client.next_listener_id();
        let outcome = client.handle(
            millis(now),
            Input::Listen {
                listener,
                pattern,
                mode,
            },
        );
        crate::emit::all(instance, client, millis(now));
        outcome.map_or_else(misuse_code, |()| listener.0.into())
    });
    answer.unwrap_or(codes::MISUSE_NO_SUCH_CLIENT)
}

/// Removes every listener of exactly this pattern. Answers like `feed`.
#[wasm_bindgen]
pub fn unlisten_pattern(instance: u32, now: f64, pattern: &str) -> f64 {
    handle(instance, now, Input::UnlistenPattern { pattern })
}

/// A number for an event name, or -1 when the table is full: use `named_push` then.
#[wasm_bindgen]
pub fn intern(instance: u32, name: &str) -> f64 {
    with(instance, |client| client.intern(name))
        .flatten()
        .map_or(codes::NONE, |event| event.0.into())
}

/// A push whose event name is not interned. Answers like `feed`.
#[wasm_bindgen]
pub fn named_push(instance: u32, now: f64, epoch: u32, body: u32, event: &str) -> f64 {
    let frame = Incoming::NamedPush {
        event,
        body: PayloadRef(body),
    };
    handle(
        instance,
        now,
        Input::Frame {
            epoch: Epoch(epoch),
            frame,
        },
    )
}
