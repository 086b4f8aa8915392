//! The machine's own time, which only ever runs forwards, made of what the driver's clock says.
//!
//! Mini-programs have no monotonic clock: a driver there may have nothing better than the wall clock, which
//! people and time servers set. A step back counts as no time at all; nothing then waits for the old hour to
//! come round again.
//!
//! Own time is 32 bits wide: in a core that was translated to JavaScript every 64-bit number is two, and costs ten
//! times as much. It starts again from zero before it is used up (see [`Clock::rebase`]).

use crate::{Millis, Ticks};

/// An instant of the machine's own time, in milliseconds since it was last rebased.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(pub(crate) u32);

/// A deadline that never comes.
pub(crate) const NEVER: Moment = Moment(u32::MAX);

/// The longest span that is told from longer ones, 24 days: a longer timeout rings, and a longer sleep ends, then.
/// With it a deadline set before the next rebase always lies before [`NEVER`].
const SPAN_MAX_MS: u32 = (1 << 31) - 1;

impl Moment {
    pub(crate) const START: Self = Self(0);

    /// This much later.
    #[inline(never)]
    pub(crate) fn after(self, ms: u32) -> Self {
        Self(self.0.saturating_add(ms.min(SPAN_MAX_MS))).min(Self(NEVER.0 - 1))
    }

    /// The same instant, once the clock was set back by `by`; what lies before that is zero.
    pub(crate) fn rebased(self, by: u32) -> Self {
        if self == NEVER {
            NEVER
        } else {
            Self(self.0.saturating_sub(by))
        }
    }
}

/// See the module's page.
pub(crate) struct Clock {
    /// What the driver told last.
    told: Millis,
    /// The machine's own time.
    own: Moment,
}

impl Clock {
    pub(crate) fn new(told: Millis) -> Self {
        Self {
            told,
            own: Moment::START,
        }
    }

    /// The present, in the machine's own time.
    pub(crate) fn now(&self) -> Moment {
        self.own
    }

    /// The driver says that it is `told` now.
    pub(crate) fn advance(&mut self, told: Millis) {
        let step = told.0.wrapping_sub(self.told.0);
        self.told = told;
        // What is more than half of the clock's width ahead is a step back.
        if step <= Ticks::MAX / 2 {
            self.own = self.own.after(step.try_into().unwrap_or(u32::MAX));
        }
    }

    /// How far every instant must be set back now so that own time is not used up; seldom anything.
    pub(crate) fn rebase(&mut self) -> Option<u32> {
        let by = self.own.0;
        (by > SPAN_MAX_MS / 2).then(|| {
            self.own = Moment::START;
            by
        })
    }

    /// An instant of the machine's own time, as the driver's clock will show it.
    pub(crate) fn shown(&self, own: Moment) -> Millis {
        let ahead = own.0.saturating_sub(self.own.0);
        Millis(self.told.0.wrapping_add(ahead.into()))
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
        assert_eq!(clock.now(), Moment(1_000));
        assert_eq!(clock.shown(deadline), Millis(2_300));
    }

    #[test]
    fn a_mad_clock_does_not_use_time_up() {
        let mut clock = Clock::new(Millis(0));
        for _ in 0..1_000 {
            clock.advance(Millis(Ticks::MAX / 2));
            clock.rebase();
            clock.advance(Millis(0));
            clock.rebase();
        }
        assert_eq!(clock.shown(clock.now().after(1)), Millis(1));
    }

    #[test]
    fn a_clock_that_begins_again_from_zero_is_not_set_back() {
        let mut clock = Clock::new(Millis(Ticks::MAX - 99));
        let deadline = clock.now().after(300);
        assert_eq!(clock.shown(deadline), Millis(200));
        clock.advance(Millis(50));
        assert_eq!(clock.now(), Moment(150));
        assert_eq!(clock.shown(deadline), Millis(200));
    }

    #[test]
    fn a_rebase_keeps_every_distance() {
        let mut clock = Clock::new(Millis(7));
        assert_eq!(clock.rebase(), None);
        let day = 86_400_000;
        for _ in 0..13 {
            clock.advance(Millis(clock.told.0 + day));
        }
        let deadline = clock.now().after(500);
        let shown = clock.shown(deadline);
        let by = clock.rebase().expect("thirteen days are enough");
        assert_eq!(clock.shown(deadline.rebased(by)), shown);
        assert_eq!(clock.now(), Moment::START);
        assert_eq!(NEVER.rebased(by), NEVER);
    }

    #[test]
    fn the_longest_timeout_still_lies_before_never() {
        let mut clock = Clock::new(Millis(0));
        clock.advance(Millis(Ticks::MAX / 2));
        assert!(clock.now().after(u32::MAX) < NEVER);
    }
}
