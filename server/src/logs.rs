//! Log lines, on stderr: readable text, or one JSON object per line. What is logged is each room's affair; a
//! secret has a type (`config::Secret`) that cannot be formatted. A line that a stranger can cause has a [`LineLimit`].

use std::io::IsTerminal as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use tracing_subscriber::EnvFilter;

use crate::config::{LogFormat, LogSettings};

/// Starts logging for this process. A second call changes nothing.
pub fn start(settings: &LogSettings) {
    // The loader has parsed it; what a caller made up by hand falls back to the default.
    let filter = EnvFilter::builder()
        .parse(&settings.filter)
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // An error means that somebody set a subscriber before us: an embedding program, which is in its right.
    let _ = match settings.format {
        LogFormat::Text => lines
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// Lets one kind of log line through at most once per second, and counts those that it suppresses in between, so that a
/// flood cannot fill the disk and the next line still tells how many there were.
///
/// ```
/// use heartline_server::logs::LineLimit;
/// static REFUSED: LineLimit = LineLimit::new();
/// if let Some(suppressed) = REFUSED.admit() {
///     tracing::warn!(suppressed, "a login was refused");
/// }
/// ```
#[derive(Debug, Default)]
pub struct LineLimit {
    /// Milliseconds of the process's own clock at the last line, plus one; 0 before the first.
    last: AtomicU64,
    suppressed: AtomicU64,
}

impl LineLimit {
    /// Between two lines of one kind.
    pub const INTERVAL_MS: u64 = 1_000;

    /// A limit that has let nothing through yet.
    pub const fn new() -> Self {
        Self {
            last: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        }
    }

    /// Whether a line may be written now: then the number of those that were suppressed since the line before it.
    pub fn admit(&self) -> Option<u64> {
        static STARTED: OnceLock<Instant> = OnceLock::new();
        let started = STARTED.get_or_init(Instant::now);
        self.admit_at(started.elapsed().as_millis() as u64)
    }

    fn admit_at(&self, now_ms: u64) -> Option<u64> {
        let last = self.last.load(Relaxed);
        let is_early = last != 0 && now_ms + 1 < last + Self::INTERVAL_MS;
        // Of several threads at the same moment, one wins.
        let admitted = !is_early
            && self
                .last
                .compare_exchange(last, now_ms + 1, Relaxed, Relaxed)
                .is_ok();
        if admitted {
            return Some(self.suppressed.swap(0, Relaxed));
        }
        self.suppressed.fetch_add(1, Relaxed);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_second_and_the_next_one_counts_the_others() {
        let limit = LineLimit::new();
        assert_eq!(limit.admit_at(0), Some(0), "the first, also at time 0");
        assert_eq!(limit.admit_at(0), None);
        assert_eq!(limit.admit_at(500), None);
        assert_eq!(limit.admit_at(999), None);
        assert_eq!(limit.admit_at(1_000), Some(3));
        assert_eq!(limit.admit_at(1_001), None);
        assert_eq!(limit.admit_at(90_000), Some(1));
        assert_eq!(limit.admit_at(91_000), Some(0));
    }
}
