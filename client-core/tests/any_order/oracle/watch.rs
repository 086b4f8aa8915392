//! What the oracle holds each output and each state against.

use super::{Socket, World};
use heartline_client_core::*;

impl World {
    /// What may be done twice is not given up with its line, where the outbox has room for it.
    pub(super) fn look_at_the_lost(&self) {
        let lost = self.fresh.iter().filter_map(|output| match output {
            Output::Settle {
                id,
                result: Err(RequestError::SentUnknown),
            } => Some(self.requests[id]),
            _ => None,
        });
        let is_dropped = |output: &Output| {
            matches!(output, Output::Event(ClientEvent::OutboxDropped { .. }))
                || matches!(
                    output,
                    Output::Settle {
                        result: Err(RequestError::TimedOut { .. } | RequestError::Cancelled { .. }),
                        ..
                    }
                )
        };
        // What left the outbox afterwards has made room.
        if self.fresh.iter().any(is_dropped) {
            return;
        }
        let sizes = self.client.sizes();
        let (entries, bytes) = (sizes.outbox_entries as u64, u64::from(sizes.outbox_bytes));
        for request in lost.filter(|request| request.idempotent) {
            let fits = entries < u64::from(self.config.outbox_max_entries)
                && bytes + u64::from(request.bytes) <= u64::from(self.config.outbox_max_bytes);
            assert!(!fits, "given up although there was room: {request:?}");
        }
    }

    /// Nothing waits longer than it may.
    pub(super) fn look_at_the_time(&self) {
        let present = self.latest_epoch();
        let is_ready = self.client.phase() == Phase::Ready;
        for (id, request) in self.requests.iter().filter(|(_, request)| !request.settled) {
            let is_sent =
                request.sent && request.sent_on == present && self.client.phase().is_open();
            assert!(
                is_sent || !is_ready,
                "{id:?} is not sent again: {request:?}"
            );
            let limit = match request.expires {
                Some(expires) if is_sent => expires,
                _ => request
                    .expires
                    .unwrap_or(u64::MAX)
                    .min(request.placed_at + self.patience(is_sent)),
            };
            assert!(self.own < limit, "{id:?} is forgotten: {request:?}");
        }
    }

    /// How long a request without a timeout of its own is left where it is.
    fn patience(&self, is_sent: bool) -> u64 {
        let (sent, queued) = (
            self.config.request_timeout_ms,
            self.config.outbox_max_age_ms,
        );
        u64::from(if is_sent { sent } else { queued }.max(1))
    }

    /// Whether the configured delays are worth the name.
    fn is_patient(&self) -> bool {
        self.config.dial_timeout_ms > 0
    }

    /// Checks one decision.
    pub(super) fn watch(&mut self, output: Output) {
        match output {
            Output::Open { epoch } => {
                if let Some((&former, &socket)) = self.sockets.last_key_value() {
                    assert!(epoch > former, "epochs grow");
                    assert!(
                        matches!(socket, Socket::Died | Socket::Closed),
                        "two sockets live at once"
                    );
                }
                assert!(self.end_told, "the end of the former line was never told");
                self.end_told = false;
                let rested = self.dialled_at.is_none_or(|at| self.now >= at + 500);
                assert!(
                    rested || self.app_orders || !self.is_patient(),
                    "a storm of dials"
                );
                self.dialled_at = Some(self.now);
                self.sockets.insert(epoch, Socket::Dialling);
                self.latest_sent = [RequestId(0); 2];
            }
            Output::Close { epoch, .. } => {
                assert_eq!(epoch, self.latest_epoch());
                let former = self.sockets.insert(epoch, Socket::Closed);
                assert_ne!(former, Some(Socket::Closed), "closed twice");
            }
            Output::Credentials { epoch, id } => {
                assert_eq!(
                    self.sockets[&epoch],
                    Socket::Open,
                    "a login on a socket that is not open"
                );
                self.credentials = Some((id, false));
                let begins = std::mem::take(&mut self.login_begins);
                assert!(begins || self.app_orders, "two logins in flight");
                let rested = self
                    .refused_at
                    .take()
                    .is_none_or(|at| self.now >= at + 1_000);
                assert!(rested || self.app_orders, "a storm of logins");
            }
            Output::Send { epoch, message } => {
                assert_eq!(
                    self.sockets[&epoch],
                    Socket::Open,
                    "{message:?} on a socket that is not open"
                );
                self.watch_send(epoch, message);
            }
            Output::Settle { id, result } => self.watch_settle(id, result),
            Output::Deliver { body, .. } => assert!(
                self.unanswered.contains(&body),
                "delivered after its release"
            ),
            Output::Release { body } => {
                self.streams.released(body);
                self.answered(body);
            }
            Output::Turn { stream, turn, body } => self.streams.watch_turn(stream, turn, body),
            Output::Persist {
                stream,
                tag,
                handled,
            } => {
                self.storing.push_back((stream, tag, handled));
                self.streams.watch_persist(stream, tag, handled);
            }
            Output::Stand { stream, position } => self.streams.watch_stand(stream, position),
            Output::Event(event) => self.watch_event(event),
        }
    }

    fn watch_send(&mut self, epoch: Epoch, message: Outgoing) {
        match message {
            Outgoing::Pong { token } => self.answered(token),
            Outgoing::Ping { id } => assert!(self.wire_ids.insert(id), "{id:?} is used twice"),
            Outgoing::Ack { stream, offset } => {
                assert!(self.told_phase.is_login(), "acknowledged before the login");
                self.streams.watch_ack(stream, offset);
            }
            Outgoing::Park | Outgoing::Show => assert!(self.told_phase.is_login()),
            Outgoing::Login { id } => {
                assert_eq!(
                    self.credentials,
                    Some((id, true)),
                    "a login without credentials"
                );
                assert!(self.wire_ids.insert(id), "{id:?} is used twice");
                self.latest_login = Some(id);
            }
            Outgoing::Request { id } => {
                let request = self
                    .requests
                    .get_mut(&id)
                    .expect("a request that was never made");
                let again = request.idempotent && epoch > request.sent_on;
                assert!(
                    (!request.sent || again) && !request.settled,
                    "{id:?} sent twice or too late"
                );
                assert!(
                    self.wire_ids.insert(id) || request.sent,
                    "{id:?} is used twice"
                );
                request.sent = true;
                request.placed_at = self.own;
                request.sent_on = epoch;
                let before_login = request.before_login;
                assert!(
                    before_login || self.told_phase.is_login(),
                    "{id:?} sent before the login"
                );
                let latest = &mut self.latest_sent[usize::from(before_login)];
                assert!(id > *latest, "{id:?} overtook {latest:?}");
                *latest = id;
            }
        }
    }

    fn watch_settle(&mut self, id: RequestId, result: Result<PayloadRef, RequestError>) {
        let request = self
            .requests
            .get_mut(&id)
            .expect("a request that was never made");
        assert!(!request.settled, "{id:?} settled twice");
        request.settled = true;
        let (request, own) = (*request, self.own);
        if let Err(RequestError::TimedOut { sent }) = result {
            let least = request
                .expires
                .unwrap_or(request.placed_at + self.patience(true));
            assert!(
                own >= least,
                "{id:?} is given up too soon (sent: {sent}): {request:?}"
            );
        }
        let told_sent = match result {
            Ok(_) | Err(RequestError::Refused { .. } | RequestError::SentUnknown) => true,
            Err(RequestError::NotSent(why)) => why == NotSent::Socket,
            Err(RequestError::TimedOut { sent } | RequestError::Cancelled { sent }) => sent,
        };
        assert_eq!(told_sent, request.sent, "{id:?} {result:?}");
        if let Ok(body) | Err(RequestError::Refused { body }) = result {
            assert_eq!(self.replied, Some((id, body)), "another's answer");
            self.answered(body);
        }
    }

    fn watch_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Phase(phase) => {
                assert_ne!(phase, self.told_phase, "a change that changes nothing");
                self.told_phase = phase;
                self.login_begins = phase == Phase::LoggingIn;
            }
            ClientEvent::LoggedIn { body, .. } => {
                assert_eq!(self.told_phase, Phase::Ready);
                self.is_foreign = false;
                let login = self.latest_login.map(|id| (id, body));
                assert_eq!(self.replied, login, "another's answer");
                self.answered(body);
            }
            ClientEvent::LoginRefused { body } => {
                self.answered(body);
                // A refusal that comes after its login timed out starts no new wait.
                if self.told_phase == Phase::LoggingIn {
                    self.refused_at = Some(self.now);
                }
            }
            ClientEvent::Disconnected { .. } => {
                assert!(!self.end_told, "an end told twice");
                self.end_told = true;
                self.is_foreign = false;
                // What can be sent again waits from now on.
                let (own, present) = (self.own, self.latest_epoch());
                let lost = self.requests.values_mut();
                lost.filter(|request| {
                    !request.settled && request.sent && request.sent_on == present
                })
                .for_each(|request| request.placed_at = own);
            }
            ClientEvent::OutboxDropped { id, reason } => {
                let request = self.requests[&id];
                if reason == DropReason::Expired {
                    let age = self.own - request.placed_at;
                    assert!(age >= self.patience(false), "{id:?} is dropped too soon");
                }
                assert!((!request.sent || request.idempotent) && !request.settled);
            }
            ClientEvent::Gap { stream, .. } => self.streams.watch_gap(stream),
            // The fifth failure: `watch_persist` sees that the position moves.
            ClientEvent::Poisoned { body, .. } => {
                assert!(body.is_none_or(|body| self.unanswered.contains(&body)))
            }
        }
    }

    pub(super) fn answered(&mut self, body: PayloadRef) {
        let at = self
            .unanswered
            .iter()
            .position(|&b| b == body)
            .expect("answered twice, or never given");
        self.unanswered.swap_remove(at);
    }

    /// Checks the state between inputs.
    pub(super) fn look(&self) {
        let phase = self.client.phase();
        assert_eq!(phase, self.told_phase, "a change that was not told");
        assert!(!phase.is_login() || phase.is_open());
        assert!(!phase.is_open() || phase.is_connected());
        let socket = self.sockets.last_key_value().map(|(_, &socket)| socket);
        assert_eq!(
            phase.is_connected(),
            matches!(socket, Some(Socket::Dialling | Socket::Open)),
            "{phase:?} {socket:?}"
        );
        assert_eq!(
            phase.is_open(),
            socket == Some(Socket::Open),
            "{phase:?} {socket:?}"
        );
        self.look_at_the_time();
        let mut late = self.unanswered.iter();
        let late = late.find(|&&body| !self.streams.keeps(body));
        assert_eq!(late, None, "not answered at once");
        self.streams.look();

        let timeout = self.client.poll_timeout();
        assert!(
            timeout.is_none_or(|at| at.0 > self.fed_at),
            "a deadline in the past: {timeout:?} at {}",
            self.fed_at
        );
        assert_eq!(
            timeout.is_some(),
            self.client.next_timeout_reason().is_some()
        );
        if let Phase::Waiting { until: Some(_), .. } = phase {
            assert!(timeout.is_some(), "waits without a timer");
        }

        let (sizes, config) = (self.client.sizes(), &self.config);
        let max_requests = config.max_requests as usize;
        assert_eq!(sizes.outputs, 0);
        assert!(sizes.requests <= max_requests);
        assert!(sizes.pool_slots <= 2 * max_requests + 64);
        assert!(sizes.outbox_entries <= config.outbox_max_entries as usize);
        assert!(sizes.outbox_bytes <= config.outbox_max_bytes);
        assert!(sizes.listeners <= config.max_listeners as usize);
        assert!(sizes.event_names <= config.max_event_names as usize);
        let unsettled = self.requests.values().filter(|r| !r.settled).count();
        assert_eq!(
            sizes.requests, unsettled,
            "the pool and the oracle disagree"
        );
    }
}
