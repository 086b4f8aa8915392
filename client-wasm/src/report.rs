//! What people ask a client: where it stands, as a JSON line for a bug report and as a value for a
//! developer's console. Also says aloud when the driver broke a rule.

use heartline_client_core::Millis;
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::registry::with;
use heartline_client_core::boundary::{codes, phase_numbers};

/// Where a client stands.
#[derive(Serialize)]
struct Status {
    /// Its `PHASE_*` code and the two numbers that go with it.
    phase: [u32; 3],
    next_request: u32,
}

/// Where a client stands, as a line of JSON for a bug report; empty when there is no such client.
#[wasm_bindgen]
pub fn diagnostics(instance: u32, now: u32) -> String {
    let status = with(instance, |client| Status {
        phase: phase_numbers(client.phase(), Millis(now.into())),
        next_request: client.next_request_id().0 as u32,
    });
    // A struct of numbers and fixed strings always serializes.
    status
        .and_then(|status| serde_json::to_string(&status).ok())
        .unwrap_or_default()
}

/// The phase and its two numbers (see `OUT_PHASE`), as an array; null when there is no such client.
#[wasm_bindgen]
pub fn snapshot(instance: u32, now: u32) -> JsValue {
    let numbers = with(instance, |client| {
        phase_numbers(client.phase(), Millis(now.into()))
    });
    numbers
        .and_then(|numbers| serde_wasm_bindgen::to_value(&numbers).ok())
        .unwrap_or(JsValue::NULL)
}

/// Says on the console that the driver, not the app, broke a rule.
pub(crate) fn misuse(code: i32) {
    // After `Destroy` late news of sockets is normal.
    if code != codes::MISUSE_DESTROYED {
        web_sys::console::warn_2(
            &JsValue::from_str("heartline: driver misuse"),
            &JsValue::from_f64(code.into()),
        );
    }
}
