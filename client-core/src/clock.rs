//! The machine's own time, which only ever runs forwards, made of what the driver's clock says.
//!
//! Mini-programs have no monotonic clock: a driver there may have nothing better than the wall clock, which
//! people and time servers set. A step back counts as no time at all; nothing then waits for the old hour to
//! come round again.

use crate::Millis;

/// The longest step forwards, 49 days. Longer ones count as this one, so that a mad clock cannot use time up.
const STEP_MAX_MS: u64 = u32::MAX as u64;

/// See the module's page.
pub(crate) struct Clock {
    /// What the driver told last.
    told: Millis,
    /// The machine's own time.
    own: Millis,
}

impl Clock {
    pub(crate) fn new(told: Millis) -> Self {
        Self {
            told,
            own: Millis(0),
        }
    }

    /// The present, in the machine's own time.
    pub(crate) fn now(&self) -> Millis {
        self.own
    }

    /// The driver says that it is `told` now.
    pub(crate) fn advance(&mut self, told: Millis) {
        let step = told.0.saturating_sub(self.told.0).min(STEP_MAX_MS);
        self.told = told;
        self.own = Millis(self.own.0.saturating_add(step));
    }

    /// An instant of the machine's own time, as the driver's clock will show it.
    pub(crate) fn shown(&self, own: Millis) -> Millis {
        Millis(self.told.0.saturating_add(own.0.saturating_sub(self.own.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_back_takes_no_time_and_moves_every_deadline_along() {
        let mut clock = Clock::new(Millis(5_000));
        clock.advance(Millis(6_000));
        let deadline = clock.now().after(300);
        assert_eq!(clock.shown(deadline), Millis(6_300));
        clock.advance(Millis(2_000));
        assert_eq!(clock.now(), Millis(1_000));
        assert_eq!(clock.shown(deadline), Millis(2_300));
    }

    #[test]
    fn a_mad_clock_does_not_use_time_up() {
        let mut clock = Clock::new(Millis(0));
        for _ in 0..1_000 {
            clock.advance(Millis(u64::MAX));
            clock.advance(Millis(0));
        }
        assert!(clock.shown(clock.now().after(1)) == Millis(1));
    }
}
