//! A socket or none: when to dial, what a loss means, when to wait, to park, to stay closed.
//! Serves "Reconnect" and "Parking" of the product's promises and `_connectionLoop` of the classic class.

use super::Client;
use crate::{
    ClientEvent, CloseReason, Epoch, Output, Phase, RequestError, WaitReason, backoff::dial_delay,
    clock::Moment, pool::Place, timers::Timer,
};
use heartline_protocol::CloseCode;

/// Signals of the platform and advice of the server, however many, cannot make two dials begin closer
/// together than this. (The app's own orders can.)
const DIAL_SPACING_MS: u32 = 500;
/// A server's advice is followed up to this.
const ADVICE_MAX_MS: u32 = 600_000;

impl Client {
    pub(super) fn start(&mut self) {
        if self.started && self.closed.is_none() {
            return;
        }
        self.started = true;
        self.revive();
    }

    pub(super) fn stop(&mut self) {
        self.started = false;
        self.closed = Some(CloseReason::Asked);
        self.cancel_all();
        self.detach_streams(true);
        self.hang_up(CloseReason::Asked);
        self.seek(self.now(), WaitReason::Backoff);
    }

    pub(super) fn destroy(&mut self) {
        self.stop();
        self.drop_streams();
        self.router.clear();
        self.timers.clear_all();
        self.destroyed = true;
    }

    pub(super) fn disconnect(&mut self) {
        if self.hang_up(CloseReason::Asked) {
            self.wait();
        }
    }

    pub(super) fn identify(&mut self, present: bool) {
        let left = self.identity && !present;
        self.identity = present;
        self.login.forgive();
        self.detach_streams(true);
        if left {
            // What one user queued must not be sent as the next one.
            self.cancel_queued();
        }
        if !self.started {
            return;
        }
        if !present {
            self.closed = None;
            self.hang_up(CloseReason::LoggedOut);
            self.cancel_queued();
            self.seek(self.now(), WaitReason::Backoff);
        } else if self.phase.is_open() {
            self.is_foreign = true;
            self.begin_login();
        } else if self.phase != Phase::Connecting {
            self.revive();
        }
    }

    pub(super) fn opened(&mut self, epoch: Epoch) {
        if epoch != self.epoch || self.phase != Phase::Connecting {
            return;
        }
        self.timers.clear(Timer::Dial);
        self.set(Timer::Heartbeat, self.config.heartbeat_interval_ms);
        self.enter(Phase::Open);
        self.flush();
        self.resume_login();
    }

    pub(super) fn failed(&mut self, epoch: Epoch) {
        if self.is_connected(epoch) {
            let reason = if self.phase.is_open() {
                CloseReason::Error
            } else {
                CloseReason::DialFailed
            };
            self.lose(reason);
        }
    }

    pub(super) fn remote_closed(
        &mut self,
        epoch: Epoch,
        code: Option<u16>,
        retry_after_ms: Option<u32>,
    ) {
        if !self.is_connected(epoch) {
            return;
        }
        let terminal = code.is_some_and(CloseCode::is_terminal);
        let reason = if self.phase.is_open() || terminal {
            CloseReason::Remote { code }
        } else {
            CloseReason::DialFailed
        };
        self.end_line(reason);
        if terminal {
            self.closed = Some(reason);
            self.seek(self.now(), WaitReason::Backoff);
        } else if let Some(advice_ms) = retry_after_ms {
            self.attempt = self.attempt.saturating_add(1);
            let advised = self.now().after(advice_ms.min(ADVICE_MAX_MS));
            self.seek(advised.max(self.spaced), WaitReason::Advised);
        } else {
            self.wait();
        }
    }

    pub(super) fn dial_timed_out(&mut self) {
        self.lose(CloseReason::DialTimedOut);
    }

    pub(super) fn network(&mut self, online: bool) {
        self.online = online;
        if self.phase.is_open() {
            // Platforms report late and wrongly: ask the line itself.
            self.probe();
        } else if online {
            self.hurry();
        } else if self.hang_up(CloseReason::Offline) {
            self.wait();
        } else {
            self.seek(self.now(), WaitReason::Network);
        }
    }

    pub(super) fn visibility(&mut self, visible: bool) {
        if visible != self.visible {
            self.visible = visible;
            self.tell_visibility();
        }
        if visible {
            self.probe();
            self.hurry();
        } else if let Phase::Waiting { .. } = self.phase {
            self.seek(self.now(), WaitReason::Backoff);
        }
    }

    /// Dials. The caller has seen that everything needed for it is there.
    pub(super) fn dial(&mut self) {
        self.epoch = Epoch(self.epoch.0.saturating_add(1));
        self.spaced = self.now().after(DIAL_SPACING_MS);
        self.set(Timer::Dial, self.config.dial_timeout_ms);
        self.out(Output::Open { epoch: self.epoch });
        self.enter(Phase::Connecting);
    }

    /// The line is no good: drops it and waits for the next attempt.
    pub(super) fn lose(&mut self, reason: CloseReason) {
        if self.hang_up(reason) {
            self.wait();
        }
    }

    /// Starts afresh on the app's word.
    fn revive(&mut self) {
        self.closed = None;
        self.attempt = 0;
        self.seek(self.now(), WaitReason::Backoff);
    }

    /// Something changed for the better: a waiting or parked client dials at once, without backoff.
    fn hurry(&mut self) {
        if matches!(self.phase, Phase::Waiting { .. } | Phase::Parked) {
            self.attempt = 0;
            self.seek(self.spaced, WaitReason::Backoff);
        }
    }

    /// Waits for the next attempt by the client's own backoff, and no shorter than a refused login must.
    #[inline(never)]
    fn wait(&mut self) {
        self.attempt = self.attempt.saturating_add(1);
        let delay = dial_delay(self.config.backoff, self.attempt, &mut self.rng);
        let due = self.now().after(delay).max(self.login.not_before);
        self.seek(due, WaitReason::Backoff);
    }

    /// No socket lives (any more): dials if that may be done, or says what is waited for.
    fn seek(&mut self, due: Moment, reason: WaitReason) {
        self.timers.clear(Timer::Reconnect);
        let attempt = self.attempt.max(1);
        let phase = if let Some(reason) = self.closed {
            Phase::Closed { reason }
        } else if !self.started || !self.identity {
            Phase::Idle
        } else if !self.visible {
            Phase::Parked
        } else if !self.online {
            Phase::Waiting {
                attempt,
                until: None,
                reason: WaitReason::Network,
            }
        } else if due <= self.now() {
            return self.dial();
        } else {
            self.timers.set(Timer::Reconnect, due);
            Phase::Waiting {
                attempt,
                until: Some(self.clock.shown(due)),
                reason,
            }
        };
        self.enter(phase);
    }

    /// Orders the socket closed if there is one, and says whether there was.
    #[inline(never)]
    fn hang_up(&mut self, reason: CloseReason) -> bool {
        let connected = self.phase.is_connected();
        if connected {
            let code = if reason == CloseReason::Dead {
                CloseCode::Idle
            } else {
                CloseCode::Normal
            };
            self.out(Output::Close {
                epoch: self.epoch,
                code: code as u16,
            });
            self.end_line(reason);
        }
        connected
    }

    /// The socket of this epoch is gone: forgets what belonged to it. The caller then enters a phase.
    fn end_line(&mut self, reason: CloseReason) {
        #[cfg(not(target_arch = "wasm32"))]
        let unstored = self.timers.at(Timer::Store);
        self.timers.clear_all();
        #[cfg(not(target_arch = "wasm32"))]
        self.timers.set(Timer::Store, unstored);
        self.login.abandon();
        self.is_foreign = false;
        self.ping = None;
        self.detach_streams(false);
        self.requeue();
        self.settle_all(Place::Sent, RequestError::SentUnknown);
        self.event(ClientEvent::Disconnected { reason });
    }
}
