//! Log lines, on stderr: readable text, or one JSON object per line. What is logged is each room's
//! affair; a secret has a type (`config::Secret`) that cannot be formatted. A line that a stranger
//! can cause has a [`LineLimit`].

use std::fmt::{self, Write as _};
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
    // An error means that somebody set a subscriber before us: an embedding program, which is in
    // its right.
    let _ = match settings.format {
        LogFormat::Text => lines
            .with_target(false)
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
}

/// Lets one kind of log line through at most once per second, and counts those that it suppresses
/// in between, so that a flood cannot fill the disk and the next line still tells how many there
/// were.
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

    /// Whether a line may be written now: then the number of those that were suppressed since the
    /// line before it.
    pub fn admit(&self) -> Option<u64> {
        self.admit_at(clock_ms())
    }

    /// The number of suppressed lines that no later line has reported, once the interval is over;
    /// with `at_once`, also before. To be polled once a second, so that the last lines of a burst
    /// are reported too.
    pub fn unreported(&self, at_once: bool) -> Option<u64> {
        if self.suppressed.load(Relaxed) == 0 {
            return None;
        }
        self.unreported_at(clock_ms(), at_once)
    }

    fn unreported_at(&self, now_ms: u64, at_once: bool) -> Option<u64> {
        if !at_once && now_ms + 1 < self.last.load(Relaxed) + Self::INTERVAL_MS {
            return None;
        }
        let suppressed = self.suppressed.swap(0, Relaxed);
        self.last.store(now_ms + 1, Relaxed);
        (suppressed > 0).then_some(suppressed)
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

/// Lets so many lines of one kind through per second, and counts those beyond: for lines that were
/// asked for one by one.
#[derive(Debug)]
pub struct LineBudget {
    lines_per_second: u64,
    /// The second that is counted, plus one; 0 before the first.
    second: AtomicU64,
    lines: AtomicU64,
    suppressed: AtomicU64,
}

impl LineBudget {
    /// A budget that nothing was taken from.
    pub const fn new(lines_per_second: u64) -> Self {
        Self {
            lines_per_second,
            second: AtomicU64::new(0),
            lines: AtomicU64::new(0),
            suppressed: AtomicU64::new(0),
        }
    }

    /// Whether a line may be written now.
    pub fn admit(&self) -> bool {
        self.admit_at(clock_ms())
    }

    fn admit_at(&self, now_ms: u64) -> bool {
        let second = now_ms / 1_000 + 1;
        // Of several threads at the turn of a second, one begins anew; a line more or less is all
        // that a race costs.
        if self.second.swap(second, Relaxed) != second {
            self.lines.store(0, Relaxed);
        }
        let is_admitted = self.lines.fetch_add(1, Relaxed) < self.lines_per_second;
        if !is_admitted {
            self.suppressed.fetch_add(1, Relaxed);
        }
        is_admitted
    }

    /// The number of those that were suppressed since this was last asked, if there are any.
    pub fn unreported(&self) -> Option<u64> {
        match self.suppressed.load(Relaxed) {
            0 => None,
            _ => Some(self.suppressed.swap(0, Relaxed)),
        }
    }
}

/// Text for a line that may hold what a stranger wrote: control characters escaped, so that no line
/// can be forged, and cut after [`Escaped::MAX_CHARS`].
pub(crate) struct Escaped<T>(pub T);

impl<T> Escaped<T> {
    /// As long as a sentence with a name in it gets.
    const MAX_CHARS: usize = 500;
}

impl<T: fmt::Display> fmt::Display for Escaped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = Self::MAX_CHARS;
        let mut escaping = Escaping { out: f, left };
        match write!(escaping, "{}", self.0) {
            // An error with nothing left is our own way to end what is too long.
            Err(_) if escaping.left == 0 => f.write_str("…"),
            written => written,
        }
    }
}

struct Escaping<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    left: usize,
}

impl fmt::Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            self.left = self.left.checked_sub(1).ok_or(fmt::Error)?;
            match char.is_control() {
                true => write!(self.out, "{}", char.escape_default())?,
                false => self.out.write_char(char)?,
            }
        }
        Ok(())
    }
}

/// Milliseconds of the process's own clock.
fn clock_ms() -> u64 {
    static STARTED: OnceLock<Instant> = OnceLock::new();
    STARTED.get_or_init(Instant::now).elapsed().as_millis() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_of_a_burst_are_reported_when_the_second_is_over() {
        let limit = LineLimit::new();
        assert_eq!(limit.admit_at(0), Some(0));
        assert_eq!(limit.unreported_at(999, false), None);
        assert_eq!((limit.admit_at(500), limit.admit_at(600)), (None, None));
        assert_eq!(limit.unreported_at(999, false), None);
        assert_eq!(limit.unreported_at(1_000, false), Some(2));
        assert_eq!(limit.admit_at(1_500), None, "that was a line too");
        assert_eq!(limit.unreported_at(1_600, true), Some(1), "at the end");
        assert_eq!(limit.unreported(true), None);
    }

    #[test]
    fn what_a_stranger_wrote_forges_no_line_and_fills_no_disk() {
        let shown = |text: &str| Escaped(text).to_string();
        assert_eq!(shown("聊天 a=b"), "聊天 a=b");
        assert_eq!(shown("a\r\n\u{1b}[31m\u{85}"), "a\\r\\n\\u{1b}[31m\\u{85}");
        assert_eq!(shown(&"x".repeat(500)), "x".repeat(500));
        assert_eq!(shown(&"x".repeat(501)), "x".repeat(500) + "…");
        assert_eq!(
            shown(&"\0".repeat(10_000)).len(),
            500 * "\\u{0}".len() + "…".len()
        );
    }

    #[test]
    fn a_budget_is_for_each_second_and_counts_what_is_beyond() {
        let budget = LineBudget::new(2);
        let admitted = [0, 1, 2, 999, 1_000, 1_001, 1_002].map(|now| budget.admit_at(now));
        assert_eq!(admitted, [true, true, false, false, true, true, false]);
        assert_eq!((budget.unreported(), budget.unreported()), (Some(3), None));
    }

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
