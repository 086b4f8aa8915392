//! The time that connections are judged by: a shard's own, without the pauses in which it could read nothing (a stopped
//! process, a snapshot of the machine, a long swap). Such a pause is not the clients' silence.

use std::time::{Duration, Instant};

/// The clock of one shard. Its time stands still within a turn.
#[derive(Debug)]
pub(super) struct Clock {
    started: Instant,
    /// When the current turn began, since `started`.
    turn: Duration,
    /// The pauses so far.
    paused: Duration,
}

/// Waking so much later than asked for is a pause; less is an ordinary delay.
const PAUSE: Duration = Duration::from_millis(250);

impl Clock {
    /// A clock at 0.
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            turn: Duration::ZERO,
            paused: Duration::ZERO,
        }
    }

    /// A turn begins, after a wait of at most `asked`; `None` was a wait without an end.
    pub fn begin_turn(&mut self, asked: Option<Duration>) {
        self.begin_turn_at(self.started.elapsed(), asked);
    }

    fn begin_turn_at(&mut self, now: Duration, asked: Option<Duration>) {
        if let Some(asked) = asked {
            let late = now.saturating_sub(self.turn).saturating_sub(asked);
            if late >= PAUSE {
                self.paused += late;
            }
        }
        self.turn = now;
    }

    /// Milliseconds of the shard's own time at the beginning of this turn.
    pub fn now_ms(&self) -> u64 {
        // A pause is a part of the time until the turn.
        (self.turn - self.paused).as_millis() as u64
    }

    /// Microseconds since the start, pauses included: what a peer may send grows in them too.
    pub fn now_us(&self) -> u64 {
        self.started.elapsed().as_micros() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_pause_does_not_count_and_all_other_time_does() {
        let mut clock = Clock::start();
        clock.begin_turn_at(ms(1_000), None);
        assert_eq!(clock.now_ms(), 1_000, "nothing was asked for");
        clock.begin_turn_at(ms(1_500), Some(ms(500)));
        assert_eq!(clock.now_ms(), 1_500);
        clock.begin_turn_at(ms(1_740), Some(Duration::ZERO));
        assert_eq!(clock.now_ms(), 1_740, "a long turn, but a turn");
        clock.begin_turn_at(ms(91_740), Some(ms(60)));
        assert_eq!(clock.now_ms(), 1_800, "as if it had woken in time");
        clock.begin_turn_at(ms(91_800), Some(ms(60)));
        assert_eq!(clock.now_ms(), 1_860);
        clock.begin_turn_at(ms(95_000), None);
        assert_eq!(clock.now_ms(), 5_060);
    }
}
