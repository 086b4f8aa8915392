//! Settings, one number at a time.

use heartline_client_core::boundary::set_option;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::registry::with;

/// Sets one setting of a client that was fed nothing yet. Unknown keys do nothing: an older module serves a newer shim.
#[wasm_bindgen]
pub fn option(instance: u32, key: u32, value: u32) {
    with(instance, |client| {
        set_option(client.config_mut(), key, value)
    });
}
