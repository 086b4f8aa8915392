//! Numbers out: each output becomes one call of the host's `heartlineEmit`.
//!
//! The host only appends to a queue there and acts after the call into this module has returned, so an app may
//! call the client inside its callbacks.

use heartline_client_core::boundary::numbers;
use heartline_client_core::{Client, Millis};
use wasm_bindgen::prelude::wasm_bindgen;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = heartlineEmit)]
    fn emit(instance: i32, kind: i32, a: i32, b: i32, c: i32);
}

/// Emits every output that waits.
pub(crate) fn all(instance: u32, client: &mut Client, now: Millis) {
    while let Some(output) = client.poll_output() {
        let (kind, [a, b, c]) = numbers(output, now);
        emit(instance as i32, kind as i32, a as i32, b as i32, c as i32);
    }
}

/// Emits one number of this kind.
pub(crate) fn one(instance: u32, kind: u32, a: u32) {
    emit(instance as i32, kind as i32, a as i32, 0, 0);
}
