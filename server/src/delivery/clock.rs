//! The time that durable delivery stamps and judges by: the system's, but not at its first word. A wall clock that is wrong for some
//! seconds (a bad time server, a typing error, a machine that woke up) must do nothing that cannot be undone.
//!
//! - A jump is believed only when it has stood for [`HOLD`]; meanwhile time goes on by the monotonic clock.
//! - A server that starts and finds the clock more than [`FAR`] ahead of the newest push in its store stamps by that clock, but takes
//!   nothing for past until the clock has stood for [`HOLD`]: no message is too old, expired or overdue in that time.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A difference to the monotonic clock that is followed at once: what time servers correct.
const SLACK_MS: i64 = 5_000;
/// What is more is believed when it has stood for so long.
const HOLD: Duration = Duration::from_secs(60);
/// A clock so far ahead of the newest push is doubted at the start: a server is seldom off for so long.
const FAR_MS: u64 = 24 * 60 * 60 * 1_000;

/// The clock of one server.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    judge: Mutex<Judge>,
}

impl Clock {
    /// A clock that begins now; the newest push in the store was stamped `newest_ms`.
    pub fn start(newest_ms: Option<u64>) -> Self {
        Self {
            started: Instant::now(),
            judge: Mutex::new(Judge::new(wall_ms(), newest_ms)),
        }
    }

    /// Milliseconds of Unix time, for stamps.
    pub fn now_ms(&self) -> u64 {
        self.read().now_ms
    }

    /// The time up to which all is past for certain: for what is removed, passed over or overdue.
    pub fn past_ms(&self) -> u64 {
        self.read().past_ms
    }

    fn read(&self) -> Reading {
        // Every change is whole before anything that could panic.
        let mut judge = self.judge.lock().unwrap_or_else(PoisonError::into_inner);
        judge.read(wall_ms(), self.started.elapsed())
    }
}

/// Milliseconds of Unix time, as the system has it.
fn wall_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis() as u64)
}

/// What time it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Reading {
    now_ms: u64,
    past_ms: u64,
}

/// Which clock is believed.
#[derive(Debug)]
struct Judge {
    /// The wall time at the start of the monotonic clock, as it is believed.
    start_ms: i64,
    /// Another one that the wall clock claims, and since when.
    claimed: Option<(i64, Duration)>,
    /// While the clock is doubted since the start: since when it has stood, and the newest push.
    doubted: Option<(Duration, u64)>,
}

impl Judge {
    fn new(wall_ms: u64, newest_ms: Option<u64>) -> Self {
        let doubted = newest_ms.filter(|newest| wall_ms.saturating_sub(*newest) > FAR_MS);
        if let Some(newest_ms) = doubted {
            tracing::warn!(
                clock_ms = wall_ms,
                newest_push_ms = newest_ms,
                "the clock is far ahead of the newest push in the store: nothing is removed as too old until it has stood for a minute"
            );
        }
        Self {
            start_ms: signed(wall_ms),
            claimed: None,
            doubted: doubted.map(|newest_ms| (Duration::ZERO, newest_ms)),
        }
    }

    fn read(&mut self, wall_ms: u64, running: Duration) -> Reading {
        let running_ms = signed(u64::try_from(running.as_millis()).unwrap_or(u64::MAX));
        let start_ms = signed(wall_ms).saturating_sub(running_ms);
        if is_near(start_ms, self.start_ms) {
            self.start_ms = start_ms;
            self.claimed = None;
        } else if let Some((since, _)) = &mut self.doubted {
            // Neither is known to be right: the later word counts, and must stand in its turn.
            *since = running;
            self.start_ms = start_ms;
        } else {
            self.judge_claim(start_ms, running);
        }
        let now_ms = self.start_ms.saturating_add(running_ms).max(0) as u64;
        if self.doubted.is_some_and(|(since, newest_ms)| {
            running.saturating_sub(since) >= HOLD || now_ms.saturating_sub(newest_ms) <= FAR_MS
        }) {
            self.doubted = None;
        }
        let past_ms = self
            .doubted
            .map_or(now_ms, |(_, newest_ms)| newest_ms.min(now_ms));
        Reading { now_ms, past_ms }
    }

    /// The wall clock has jumped away from what is believed.
    fn judge_claim(&mut self, start_ms: i64, running: Duration) {
        match self.claimed {
            Some((claimed, since)) if is_near(claimed, start_ms) => {
                if running.saturating_sub(since) < HOLD {
                    return;
                }
                tracing::warn!(
                    by_ms = start_ms.saturating_sub(self.start_ms),
                    "the jump of the system's clock is believed: it has stood for a minute"
                );
                self.start_ms = start_ms;
                self.claimed = None;
            }
            _ => {
                tracing::warn!(
                    by_ms = start_ms.saturating_sub(self.start_ms),
                    "the system's clock has jumped: it is believed when it has stood for a minute"
                );
                self.claimed = Some((start_ms, running));
            }
        }
    }
}

fn is_near(one: i64, other: i64) -> bool {
    one.abs_diff(other) <= SLACK_MS.unsigned_abs()
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_700_000_000_000;
    const YEAR: u64 = 365 * 24 * 60 * 60 * 1_000;

    fn at(judge: &mut Judge, wall_ms: u64, seconds: u64) -> (u64, u64) {
        let Reading { now_ms, past_ms } = judge.read(wall_ms, Duration::from_secs(seconds));
        (now_ms, past_ms)
    }

    /// The same time for stamps and for what is past.
    fn both(ms: u64) -> (u64, u64) {
        (ms, ms)
    }

    #[test]
    fn a_jump_of_some_seconds_changes_nothing_forward_or_back() {
        for wrong in [START + YEAR, START - YEAR] {
            let mut judge = Judge::new(START, Some(START));
            for second in 1..100 {
                let is_wrong = (10..69).contains(&second);
                let wall = if is_wrong { wrong } else { START } + second * 1_000;
                assert_eq!(
                    at(&mut judge, wall, second),
                    both(START + second * 1_000),
                    "{second} s"
                );
            }
        }
    }

    #[test]
    fn a_jump_that_stands_for_a_minute_is_believed() {
        for wrong in [START + YEAR, START - YEAR] {
            let mut judge = Judge::new(START, None);
            assert_eq!(at(&mut judge, wrong + 10_000, 10), both(START + 10_000));
            assert_eq!(at(&mut judge, wrong + 69_000, 69), both(START + 69_000));
            assert_eq!(at(&mut judge, wrong + 70_000, 70), both(wrong + 70_000));
        }
    }

    #[test]
    fn a_clock_that_jumps_about_is_not_believed_and_small_steps_are_followed() {
        let mut judge = Judge::new(START, None);
        for second in 1..300 {
            let wall = START + second * 1_000 + second % 2 * YEAR + YEAR;
            assert_eq!(at(&mut judge, wall, second), both(START + second * 1_000));
        }
        assert_eq!(at(&mut judge, START + 303_000, 300), both(START + 303_000));
        assert_eq!(at(&mut judge, START + 299_500, 301), both(START + 299_500));
    }

    #[test]
    fn a_clock_far_ahead_of_the_store_takes_nothing_for_past_until_it_has_stood() {
        let mut judge = Judge::new(START + YEAR, Some(START));
        let late = START + YEAR + 59_000;
        assert_eq!(at(&mut judge, late, 59), (late, START));
        let late = START + YEAR + 60_000;
        assert_eq!(at(&mut judge, late, 60), both(late));
        // It is put right in time: at once, and nothing was lost.
        let mut judge = Judge::new(START + YEAR, Some(START));
        let early = START + YEAR + 20_000;
        assert_eq!(at(&mut judge, early, 20), (early, START));
        assert_eq!(at(&mut judge, START + 30_000, 30), both(START + 30_000));
        // A store that was in use an hour ago gives no doubt, nor does one that is new.
        for newest in [Some(START - 3_600_000), None] {
            assert_eq!(at(&mut Judge::new(START, newest), START, 0), both(START));
        }
    }
}
