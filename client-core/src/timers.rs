//! One table of timers, a name per timer. Requests keep their own deadlines (`pool.rs`): there are many.

use crate::clock::{Moment, NEVER};

/// What may ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timer {
    /// A dial takes too long.
    Dial,
    /// A wait for the next dial is over.
    Reconnect,
    /// A login takes too long.
    Login,
    /// A refused login may be tried again.
    LoginRetry,
    /// The next `ping` is due.
    Heartbeat,
    /// Nothing was heard since the last `ping`.
    Grace,
    /// The line was ready for so long that it counts as good.
    Stable,
    /// Handled messages have waited long enough to be acknowledged together.
    Ack,
    /// A message that the app failed with is handed over again.
    Redeliver,
    /// A position that could not be stored is tried again. The wasm driver does so itself, in a room that only its users
    /// download.
    #[cfg(not(target_arch = "wasm32"))]
    Store,
}

impl Timer {
    /// Every timer, in the order in which those that are due together ring.
    pub(crate) const ALL: [Self; COUNT] = [
        Self::Dial,
        Self::Login,
        Self::Grace,
        Self::Heartbeat,
        Self::Stable,
        Self::LoginRetry,
        Self::Reconnect,
        Self::Ack,
        Self::Redeliver,
        #[cfg(not(target_arch = "wasm32"))]
        Self::Store,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dial => "dial",
            Self::Reconnect => "reconnect",
            Self::Login => "login",
            Self::LoginRetry => "login retry",
            Self::Heartbeat => "heartbeat",
            Self::Grace => "grace",
            Self::Stable => "stable",
            Self::Ack => "ack",
            Self::Redeliver => "redeliver",
            #[cfg(not(target_arch = "wasm32"))]
            Self::Store => "store",
        }
    }
}

const COUNT: usize = if cfg!(target_arch = "wasm32") { 9 } else { 10 };

/// The deadline of each timer that is set.
pub(crate) struct Timers([Moment; Timer::ALL.len()]);

impl Timers {
    pub(crate) fn new() -> Self {
        Self([NEVER; Timer::ALL.len()])
    }

    pub(crate) fn set(&mut self, timer: Timer, at: Moment) {
        self.0[timer as usize] = at;
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.set(timer, NEVER);
    }

    pub(crate) fn clear_all(&mut self) {
        self.0 = [NEVER; Timer::ALL.len()];
    }

    /// The machine's clock was set back.
    pub(crate) fn rebase(&mut self, by: u32) {
        for at in &mut self.0 {
            *at = at.rebased(by);
        }
    }

    /// When it rings, or [`NEVER`].
    pub(crate) fn at(&self, timer: Timer) -> Moment {
        self.0[timer as usize]
    }

    /// Clears the timer if it is due, and says whether it was.
    pub(crate) fn ring(&mut self, timer: Timer, now: Moment) -> bool {
        let due = self.0[timer as usize] <= now;
        if due {
            self.clear(timer);
        }
        due
    }

    /// The earliest deadline, or [`NEVER`].
    pub(crate) fn earliest(&self) -> Moment {
        self.0.iter().copied().fold(NEVER, Moment::min)
    }

    /// The same, and whose it is.
    pub(crate) fn next(&self) -> (Moment, Timer) {
        let mut next = (NEVER, Timer::Dial);
        for timer in Timer::ALL {
            let at = self.0[timer as usize];
            if at < next.0 {
                next = (at, timer);
            }
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_named_and_each_rings_once() {
        let mut timers = Timers::new();
        assert_eq!(timers.next().0, NEVER);
        timers.set(Timer::Heartbeat, Moment(20));
        timers.set(Timer::Stable, Moment(10));
        assert_eq!(timers.next(), (Moment(10), Timer::Stable));
        assert!(!timers.ring(Timer::Stable, Moment(9)));
        assert!(timers.ring(Timer::Stable, Moment(10)));
        assert!(!timers.ring(Timer::Stable, Moment(10)));
        assert_eq!(timers.next(), (Moment(20), Timer::Heartbeat));
    }
}
