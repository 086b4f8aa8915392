//! Settings, one number at a time: `option` fills a draft that the next `create` takes.

use std::cell::RefCell;

use heartline_client_core::{Backoff, Config};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::codes;

thread_local! {
    static DRAFT: RefCell<Config> = RefCell::default();
}

/// Sets one setting of the next client. Unknown keys do nothing: an older module serves a newer shim.
#[wasm_bindgen]
pub fn option(key: u32, value: u32) {
    DRAFT.with_borrow_mut(|config| match key {
        codes::OPTION_RECONNECT_MIN_MS => {
            config.backoff = jitter(config.backoff, Some(value), None)
        }
        codes::OPTION_RECONNECT_MAX_MS => {
            config.backoff = jitter(config.backoff, None, Some(value))
        }
        codes::OPTION_RECONNECT_FIXED_MS => config.backoff = Backoff::Fixed { delay_ms: value },
        codes::OPTION_DIAL_TIMEOUT_MS => config.dial_timeout_ms = value,
        codes::OPTION_LOGIN_TIMEOUT_MS => config.login_timeout_ms = value,
        codes::OPTION_HEARTBEAT_MS => config.heartbeat_interval_ms = value,
        codes::OPTION_HEARTBEAT_GRACE_MS => config.heartbeat_grace_ms = value,
        codes::OPTION_PROBE_GRACE_MS => config.probe_grace_ms = value,
        codes::OPTION_CLOCK_JUMP_MS => config.clock_jump_ms = value,
        codes::OPTION_STABLE_AFTER_MS => config.stable_after_ms = value,
        codes::OPTION_REQUEST_TIMEOUT_MS => config.request_timeout_ms = value,
        codes::OPTION_MAX_REQUESTS => config.max_requests = value,
        codes::OPTION_OUTBOX_MAX_ENTRIES => config.outbox_max_entries = value,
        codes::OPTION_OUTBOX_MAX_BYTES => config.outbox_max_bytes = value,
        codes::OPTION_OUTBOX_MAX_AGE_MS => config.outbox_max_age_ms = value,
        codes::OPTION_MAX_LISTENERS => config.max_listeners = value,
        codes::OPTION_MAX_EVENT_NAMES => config.max_event_names = value,
        _ => {}
    });
}

/// The settings gathered so far; the next draft starts from the defaults.
pub(crate) fn take() -> Config {
    DRAFT.take()
}

fn jitter(former: Backoff, min: Option<u32>, max: Option<u32>) -> Backoff {
    let (former_min, former_max) = match former {
        Backoff::Jitter { min_ms, max_ms } => (min_ms, max_ms),
        Backoff::Fixed { delay_ms } => (delay_ms, delay_ms),
    };
    let min_ms = min.unwrap_or(former_min);
    Backoff::Jitter {
        min_ms,
        max_ms: max.unwrap_or(former_max).max(min_ms),
    }
}
