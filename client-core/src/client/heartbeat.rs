//! Signs of life: a `ping` at each interval, a probe when there is doubt, and the verdict.
//! Any frame of the present line is a sign of life; only silence after a `ping` means death.

use super::Client;
use crate::{CloseReason, Outgoing, RequestId, clock::NEVER, timers::Timer};

/// A `ping` whose reply is awaited.
pub(super) struct Ping {
    pub(super) id: RequestId,
    /// Sent while logged in, and no login began since: an error in reply means that the server has
    /// forgotten the session.
    pub(super) in_session: bool,
    /// Sent after the platform had said that the network is gone.
    offline: bool,
}

impl Client {
    /// The interval is over.
    pub(super) fn beat(&mut self) {
        self.set(Timer::Heartbeat, self.config.heartbeat_interval_ms);
        // While one ping's verdict is pending, a second would only postpone it.
        if self.timers.at(Timer::Grace) == NEVER {
            self.ping(self.config.heartbeat_grace_ms);
        }
    }

    /// There is doubt about an open line: asks for a sign of life, to come soon.
    #[inline(never)]
    pub(super) fn probe(&mut self) {
        let verdict = self.later(self.config.probe_grace_ms);
        if self.phase.is_open() && self.timers.at(Timer::Grace) > verdict {
            self.ping(self.config.probe_grace_ms);
        }
    }

    /// A frame of the present line arrived.
    pub(super) fn heard(&mut self) {
        self.timers.clear(Timer::Grace);
    }

    /// The reply to a `ping`.
    pub(super) fn ponged(&mut self, ok: bool) {
        let Some(ping) = self.ping.take() else { return };
        if ping.offline {
            // The platform was wrong. Were it believed, the next loss would wait for a network event for ever.
            self.online = true;
        }
        if !ok && ping.in_session {
            self.begin_login();
        }
    }

    pub(super) fn found_dead(&mut self) {
        self.lose(CloseReason::Dead);
    }

    /// Called with each input: if a timer is overdue by so much that the process must have slept, the
    /// line's own deadlines prove nothing, and the line is probed instead.
    pub(super) fn notice_sleep(&mut self) {
        let due = self.next_deadline();
        if !self.phase.is_open() || self.now() <= due.after(self.config.clock_jump_ms) {
            return;
        }
        self.timers.clear(Timer::Grace);
        if self.timers.at(Timer::Login) <= self.now() {
            self.set(Timer::Login, self.config.probe_grace_ms);
        }
        self.probe();
    }

    fn ping(&mut self, grace_ms: u32) {
        let id = self.allocate_id();
        self.ping = Some(Ping {
            id,
            in_session: self.phase.is_login(),
            offline: !self.online,
        });
        self.set(Timer::Grace, grace_ms);
        self.send(Outgoing::Ping { id });
    }
}
