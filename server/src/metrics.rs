//! Counters of what happened: each bound that was met, and the traffic. Atomics, read through
//! `/healthz`; the events an operator should hear of are also logged, each at most once per second.
//!
//! Nothing here holds a name, an address or a secret.

use crate::logs::{Escaped, LineLimit};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Something worth counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Happening {
    /// A WebSocket was opened.
    Connected,
    /// A WebSocket is gone.
    Disconnected,
    /// A login was accepted.
    LoggedIn,
    /// A login was refused.
    LoginRefused,
    /// A push was accepted.
    Push,
    /// A push was refused with a 4xx or 5xx, or answered `fail`.
    PushRefused,
    /// A classic push named recipients that nobody can log in as: their role is not configured, or they are no user.
    RecipientUnknown,
    /// A push's frame was written or queued for one connection.
    Delivered,
    /// A frame that was no JSON object was ignored.
    FrameIgnored,
    /// An application's event that nobody handles was answered with an error.
    EventUnhandled,
    /// A server ping was sent.
    PingSent,
    /// A peer broke RFC 6455 (1002, 1007).
    ProtocolError,
    /// A message over the limit (1009).
    TooBig,
    /// Nothing received within the idle window (4000).
    Idle,
    /// No login within the deadline (4001).
    LoginDeadline,
    /// The outbound queue was full (4002).
    SlowConsumer,
    /// More frames than allowed (4003).
    RateLimited,
    /// Too many connections: 503 at the door, or 4004 at login.
    TooManyConnections,
    /// The operating system gave no further socket; accepting paused.
    AcceptFailed,
    /// An HTTP body over the limit (413).
    BodyTooBig,
    /// An HTTP body that did not come in time (408).
    BodyTooSlow,
    /// A push was refused because deliveries pile up (503).
    Overloaded,
    /// A push was stored.
    Stored,
    /// The store did not take a push: the disk is full, or failed.
    StoreFailed,
    /// A device was attached to its stream.
    Attached,
    /// A message was sent from the store.
    Replayed,
    /// A device was told of messages that are gone.
    Gap,
    /// A TLS handshake failed, or did not end in time.
    TlsRefused,
    /// A new certificate could not be used; the former one stays.
    TlsReloadFailed,
}

use Happening as H;

impl Happening {
    /// Every happening, its name in `/healthz`, and whether it is logged.
    const TABLE: [(H, &'static str, bool); 29] = [
        (H::Connected, "connected", false),
        (H::Disconnected, "disconnected", false),
        (H::LoggedIn, "logged_in", false),
        (H::LoginRefused, "login_refused", true),
        (H::Push, "push", false),
        (H::PushRefused, "push_refused", true),
        (H::RecipientUnknown, "recipient_unknown", true),
        (H::Delivered, "delivered", false),
        (H::FrameIgnored, "frame_ignored", false),
        (H::EventUnhandled, "event_unhandled", false),
        (H::PingSent, "ping_sent", false),
        (H::ProtocolError, "protocol_error", true),
        (H::TooBig, "too_big", true),
        (H::Idle, "idle", false),
        (H::LoginDeadline, "login_deadline", true),
        (H::SlowConsumer, "slow_consumer", true),
        (H::RateLimited, "rate_limited", true),
        (H::TooManyConnections, "too_many_connections", true),
        (H::AcceptFailed, "accept_failed", true),
        (H::BodyTooBig, "body_too_big", true),
        (H::BodyTooSlow, "body_too_slow", true),
        (H::Overloaded, "overloaded", true),
        (H::Stored, "stored", false),
        (H::StoreFailed, "store_failed", true),
        (H::Attached, "attached", false),
        (H::Replayed, "replayed", false),
        (H::Gap, "gap", true),
        (H::TlsRefused, "tls_refused", true),
        (H::TlsReloadFailed, "tls_reload_failed", true),
    ];
}

/// The counters of one server.
#[derive(Debug)]
pub struct Metrics {
    counts: [AtomicU64; H::TABLE.len()],
    lines: [LineLimit; H::TABLE.len()],
}

/// What a line says of its kind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    /// Its name.
    pub event: &'static str,
    /// How often it has happened.
    pub total: u64,
    /// How often without a line since the last one.
    pub suppressed: u64,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            counts: std::array::from_fn(|_| AtomicU64::new(0)),
            lines: std::array::from_fn(|_| LineLimit::new()),
        }
    }
}

impl Metrics {
    /// Counts `what`, and logs it with `detail` if it is one to log: at most once per second, with
    /// the number of lines that were suppressed since the last one.
    pub fn note(&self, what: Happening, detail: impl std::fmt::Display) {
        if let Some(Line {
            event,
            total,
            suppressed,
        }) = self.admit(what)
        {
            let detail = Escaped(detail);
            tracing::warn!(event, total, suppressed, %detail);
        }
    }

    /// The same for a line with fields of its own: counts `what`, and returns what belongs into the
    /// line if it may be written.
    pub(crate) fn admit(&self, what: Happening) -> Option<Line> {
        let total = self.counts[what as usize].fetch_add(1, Relaxed) + 1;
        let (_, event, is_logged) = H::TABLE[what as usize];
        let suppressed = is_logged.then(|| self.lines[what as usize].admit())??;
        Some(Line {
            event,
            total,
            suppressed,
        })
    }

    /// Logs how many lines were suppressed that no later line has told; to be called once a second,
    /// and `at_once` at the end.
    pub(crate) fn log_suppressed(&self, at_once: bool) {
        for (what, event, _) in H::TABLE {
            if let Some(suppressed) = self.lines[what as usize].unreported(at_once) {
                let total = self.total(what);
                tracing::warn!(
                    event,
                    total,
                    suppressed,
                    "more of these happened and have no line of their own"
                );
            }
        }
    }

    /// Counts `what`.
    pub fn count(&self, what: Happening) {
        self.add(what, 1);
    }

    /// Counts `what`, `times` times.
    pub fn add(&self, what: Happening, times: u64) {
        self.counts[what as usize].fetch_add(times, Relaxed);
    }

    /// How often `what` has happened.
    pub fn total(&self, what: Happening) -> u64 {
        self.counts[what as usize].load(Relaxed)
    }

    /// Open WebSocket connections.
    pub fn connections(&self) -> u64 {
        self.total(H::Connected)
            .saturating_sub(self.total(H::Disconnected))
    }

    /// Names and totals, for `/healthz`.
    pub fn totals(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        H::TABLE
            .iter()
            .map(|(what, name, _)| (*name, self.total(*what)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (at, (what, name, _)) in H::TABLE.iter().enumerate() {
            assert_eq!(*what as usize, at, "{name}");
        }
    }

    #[test]
    fn connections_are_those_opened_and_not_closed() {
        let metrics = Metrics::default();
        metrics.add(H::Connected, 3);
        metrics.count(H::Disconnected);
        assert_eq!(metrics.connections(), 2);
    }
}
