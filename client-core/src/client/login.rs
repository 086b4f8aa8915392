//! One login in flight at a time: asked for, sent, answered, or tried again with a backoff that grows.
//! Serves `login` of the classic protocol.

use super::Client;
use crate::{
    ClientEvent, Outgoing, Output, PayloadRef, Phase, RequestId, backoff::login_delay,
    clock::Moment, timers::Timer,
};

/// What is known of logins.
pub(super) struct Login {
    current: Option<Attempt>,
    /// Refusals (and failures) in a row, for the present identity.
    refusals: u32,
    /// The next attempt may not come before this.
    pub(super) not_before: Moment,
    /// This client was logged in before.
    ever: bool,
}

/// The latest login on this line.
#[derive(Clone, Copy)]
struct Attempt {
    id: RequestId,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The provider was asked for credentials.
    Asked,
    /// The login was sent.
    Sent,
    /// It was sent and timed out; a late "ok" is still welcome, until the next attempt begins.
    Late,
}

impl Login {
    pub(super) fn new() -> Self {
        Self {
            current: None,
            refusals: 0,
            not_before: Moment::START,
            ever: false,
        }
    }

    /// A new identity: whatever was refused before does not count against it.
    pub(super) fn forgive(&mut self) {
        self.refusals = 0;
        self.not_before = Moment::START;
    }

    /// The line is gone, and the login with it; refusals are remembered.
    pub(super) fn abandon(&mut self) {
        self.current = None;
    }

    /// Whether a login of this id was sent on the present line and is not settled.
    pub(super) fn was_sent(&self, id: RequestId) -> bool {
        self.current
            .is_some_and(|a| a.id == id && a.stage != Stage::Asked)
    }
}

impl Client {
    /// Logs in as soon as earlier refusals allow: at once, if there were none.
    pub(super) fn resume_login(&mut self) {
        if self.login.not_before <= self.now() {
            self.begin_login();
        } else {
            self.timers.set(Timer::LoginRetry, self.login.not_before);
        }
    }

    /// Logs in now, in place of any login in flight: its reply will be unknown, and thus ignored.
    #[inline(never)]
    pub(super) fn begin_login(&mut self) {
        self.timers.clear(Timer::LoginRetry);
        self.timers.clear(Timer::Stable);
        self.timers.clear(Timer::Ack);
        self.detach_streams(false);
        let id = self.allocate_id();
        self.login.current = Some(Attempt {
            id,
            stage: Stage::Asked,
        });
        if let Some(ping) = &mut self.ping {
            // Its answer speaks of the session that ends here.
            ping.in_session = false;
        }
        self.set(Timer::Login, self.config.login_timeout_ms);
        self.enter(Phase::LoggingIn);
        self.out(Output::Credentials {
            epoch: self.epoch,
            id,
        });
    }

    pub(super) fn credentials(&mut self, id: RequestId, ready: bool) {
        match &mut self.login.current {
            Some(attempt) if attempt.id == id && attempt.stage == Stage::Asked => {
                attempt.stage = Stage::Sent
            }
            _ => return,
        }
        let in_time = self.phase == Phase::LoggingIn;
        if ready {
            if !in_time {
                // A slow provider: better late than to ask it again and wait as long.
                self.timers.clear(Timer::LoginRetry);
                self.set(Timer::Login, self.config.login_timeout_ms);
                self.enter(Phase::LoggingIn);
            }
            self.tell_positions();
            self.send(Outgoing::Login { id });
        } else {
            self.login.current = None;
            if in_time {
                self.retry_login_later();
            }
        }
    }

    pub(super) fn login_replied(&mut self, ok: bool, body: PayloadRef) {
        let in_time = self
            .login
            .current
            .take()
            .is_some_and(|a| a.stage == Stage::Sent);
        if ok {
            self.logged_in(body);
        } else {
            self.event(ClientEvent::LoginRefused { body });
            if in_time {
                self.retry_login_later();
            }
        }
    }

    /// No reply in time. Perhaps the line is dead: a probe tells. If it is not, the login is tried again.
    pub(super) fn login_timed_out(&mut self) {
        if let Some(attempt) = &mut self.login.current
            && attempt.stage == Stage::Sent
        {
            attempt.stage = Stage::Late;
        }
        self.retry_login_later();
        self.probe();
    }

    fn logged_in(&mut self, body: PayloadRef) {
        self.timers.clear(Timer::Login);
        self.timers.clear(Timer::LoginRetry);
        self.login.forgive();
        self.is_foreign = false;
        let again = std::mem::replace(&mut self.login.ever, true);
        self.set(Timer::Heartbeat, self.config.heartbeat_interval_ms);
        if self.attempt > 0 {
            self.set(Timer::Stable, self.config.stable_after_ms);
        }
        self.enter(Phase::Ready);
        self.event(ClientEvent::LoggedIn { body, again });
        self.flush();
    }

    fn retry_login_later(&mut self) {
        self.timers.clear(Timer::Login);
        self.login.refusals = self.login.refusals.saturating_add(1);
        let delay = login_delay(self.config.backoff, self.login.refusals, &mut self.rng);
        self.login.not_before = self.now().after(delay);
        self.timers.set(Timer::LoginRetry, self.login.not_before);
        self.enter(Phase::Open);
    }
}
