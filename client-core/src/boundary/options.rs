//! Settings, one number at a time.

use super::codes;
use crate::{Backoff, Config};

/// Sets one setting. Unknown keys do nothing: an older core serves a newer driver.
pub fn set_option(config: &mut Config, key: u32, value: u32) {
    // Where the setting lies, and one store for all of them.
    let setting = match (key, &mut config.backoff) {
        (codes::OPTION_RECONNECT_FIXED_MS, backoff) => {
            *backoff = Backoff::Fixed { delay_ms: value };
            return;
        }
        // A fixed delay has neither.
        (codes::OPTION_RECONNECT_MIN_MS, Backoff::Jitter { min_ms, .. }) => min_ms,
        (codes::OPTION_RECONNECT_MAX_MS, Backoff::Jitter { max_ms, .. }) => max_ms,
        (codes::OPTION_DIAL_TIMEOUT_MS, _) => &mut config.dial_timeout_ms,
        (codes::OPTION_LOGIN_TIMEOUT_MS, _) => &mut config.login_timeout_ms,
        (codes::OPTION_HEARTBEAT_MS, _) => &mut config.heartbeat_interval_ms,
        (codes::OPTION_HEARTBEAT_GRACE_MS, _) => &mut config.heartbeat_grace_ms,
        (codes::OPTION_PROBE_GRACE_MS, _) => &mut config.probe_grace_ms,
        (codes::OPTION_CLOCK_JUMP_MS, _) => &mut config.clock_jump_ms,
        (codes::OPTION_STABLE_AFTER_MS, _) => &mut config.stable_after_ms,
        (codes::OPTION_REQUEST_TIMEOUT_MS, _) => &mut config.request_timeout_ms,
        (codes::OPTION_MAX_REQUESTS, _) => &mut config.max_requests,
        (codes::OPTION_OUTBOX_MAX_ENTRIES, _) => &mut config.outbox_max_entries,
        (codes::OPTION_OUTBOX_MAX_BYTES, _) => &mut config.outbox_max_bytes,
        (codes::OPTION_OUTBOX_MAX_AGE_MS, _) => &mut config.outbox_max_age_ms,
        (codes::OPTION_MAX_LISTENERS, _) => &mut config.max_listeners,
        (codes::OPTION_MAX_EVENT_NAMES, _) => &mut config.max_event_names,
        _ => return,
    };
    *setting = value;
}
