//! Every number that shapes the client's behaviour, with its default and its unit.

/// The client's settings. All durations are in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// How long to wait between dials. After a refused login the wait is longer and grows, to a minute at the
    /// most, whatever stands here.
    pub backoff: Backoff,
    /// Give a dial up after this long.
    pub dial_timeout_ms: u32,
    /// Give an unanswered login up after this long (provider's time included), and try again.
    pub login_timeout_ms: u32,
    /// Send a `ping` this often while logged in.
    pub heartbeat_interval_ms: u32,
    /// Declare the line dead this long after an unanswered `ping`, if nothing else arrived either.
    pub heartbeat_grace_ms: u32,
    /// The same for the quick probe after a wake, a show, a network change, a clock jump or a failed send.
    pub probe_grace_ms: u32,
    /// A timer that rings this much later than asked means that the process slept: probe before trusting.
    pub clock_jump_ms: u32,
    /// Reset the backoff after the line was ready for this long.
    pub stable_after_ms: u32,
    /// Default timeout of a request.
    pub request_timeout_ms: u32,
    /// At most this many unsettled requests; one more settles at once as `NotSent(Full)`.
    pub max_requests: u32,
    /// Bounds of the outbox.
    pub outbox_max_entries: u32,
    /// Bytes of encoded payloads, all queued requests together.
    pub outbox_max_bytes: u32,
    /// A queued request older than this is dropped.
    pub outbox_max_age_ms: u32,
    /// At most this many listeners.
    pub max_listeners: u32,
    /// At most this many interned event names; `intern` answers `None` beyond.
    pub max_event_names: u32,
}

/// How long to wait before the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backoff {
    /// Full jitter: `min(max, min + rand(0, min(max, min·2^attempt)))`.
    Jitter {
        /// The shortest delay.
        min_ms: u32,
        /// The longest delay.
        max_ms: u32,
    },
    /// Always the same: the classic `reConnectTime`.
    Fixed {
        /// The delay.
        delay_ms: u32,
    },
}

impl Default for Config {
    fn default() -> Self {
        Self {
            backoff: Backoff::Jitter {
                min_ms: 500,
                max_ms: 20_000,
            },
            dial_timeout_ms: 10_000,
            login_timeout_ms: 10_000,
            heartbeat_interval_ms: 25_000,
            heartbeat_grace_ms: 10_000,
            probe_grace_ms: 3_000,
            clock_jump_ms: 5_000,
            stable_after_ms: 10_000,
            request_timeout_ms: 15_000,
            max_requests: 16_384,
            outbox_max_entries: 256,
            outbox_max_bytes: 262_144,
            outbox_max_age_ms: 300_000,
            max_listeners: 4_096,
            max_event_names: 1_024,
        }
    }
}
