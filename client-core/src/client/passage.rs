//! The passage of time: what is due rings, what is due next, and the clock is set back before it is used up.

use super::Client;
use crate::{clock::Moment, timers::Timer};

impl Client {
    /// Rings what is due. One pass is enough: whatever rings sets timers in the future only.
    pub(super) fn ring(&mut self) {
        for timer in Timer::ALL {
            if self.timers.ring(timer, self.now()) {
                match timer {
                    Timer::Dial => self.dial_timed_out(),
                    Timer::Reconnect => self.dial(),
                    Timer::Login => self.login_timed_out(),
                    Timer::LoginRetry => self.begin_login(),
                    Timer::Heartbeat => self.beat(),
                    Timer::Grace => self.found_dead(),
                    Timer::Stable => self.attempt = 0,
                    Timer::Ack => self.send_acks(),
                    Timer::Redeliver => self.redeliver(),
                    #[cfg(not(target_arch = "wasm32"))]
                    Timer::Store => self.store_again(),
                }
            }
        }
        self.expire_requests();
    }

    /// Sets the machine's clock back before it is used up, which takes days; every instant goes along.
    pub(super) fn rebase(&mut self) {
        if let Some(by) = self.clock.rebase() {
            self.timers.rebase(by);
            self.pool.rebase(by);
            self.login.not_before = self.login.not_before.rebased(by);
            self.spaced = self.spaced.rebased(by);
        }
    }

    /// In the machine's own time, or [`NEVER`].
    pub(super) fn next_deadline(&self) -> Moment {
        self.timers.earliest().min(self.pool.next_deadline())
    }

    pub(super) fn now(&self) -> Moment {
        self.clock.now()
    }

    /// Sets a timer; it rings in a millisecond at the earliest.
    #[inline(never)]
    pub(super) fn set(&mut self, timer: Timer, after_ms: u32) {
        self.timers.set(timer, self.later(after_ms));
    }

    /// So much later than now, and a millisecond at the least.
    pub(super) fn later(&self, ms: u32) -> Moment {
        self.now().after(ms.max(1))
    }
}
