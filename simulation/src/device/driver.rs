//! The driver: feeds inputs at the device's own time, carries outputs out in their order, keeps one timer.

use super::payloads::Payload;
use super::{App, Device};
use crate::event::{DeviceEvent, Event, News, Provided};
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::network::{Frame, LinkId, Way};
use crate::stage::Stage;
use heartline_client_core::{
    ClientEvent, Epoch, Input, Outgoing, Output, RequestError, RequestId, SendOutcome, StreamId,
};
use heartline_protocol::{self as protocol, LoginExtension};

impl Device {
    /// Feeds one input and carries out what comes of it.
    pub(super) fn feed(&mut self, stage: &mut Stage, input: Input<'_>) {
        let now = self.clock(stage);
        let Some(app) = &mut self.app else { return };
        if let Err(misuse) = app.client.handle(now, input) {
            stage
                .oracle
                .fail(format!("device {}: {input:?} is {misuse:?}", self.index));
        }
        let mut failed = Vec::new();
        while let Some(app) = &mut self.app
            && let Some(output) = app.client.poll_output()
        {
            self.carry_out(stage, output, &mut failed);
        }
        for (stream, tag, handled, ok) in std::mem::take(&mut self.stored) {
            let input = Input::Stored {
                stream,
                tag,
                handled,
                ok,
            };
            self.feed(stage, input);
        }
        for (epoch, id) in failed {
            let outcome = SendOutcome::NotSent;
            self.feed(stage, Input::SendFailed { epoch, id, outcome });
        }
        self.set_timer(stage);
    }

    fn carry_out(
        &mut self,
        stage: &mut Stage,
        output: Output,
        failed: &mut Vec<(Epoch, RequestId)>,
    ) {
        if !is_small_talk(&output) {
            stage.tell(|| format!("device {}: {output:?}", self.index));
        }
        let (index, life) = (self.index, self.life);
        let Some(app) = &mut self.app else { return };
        match output {
            Output::Open { epoch } => {
                app.dialling = Some(epoch);
                let fails = stage.strikes(Fault::BadDial, 30);
                let never = fails && stage.rng.chance(30);
                if !never {
                    let delay = stage.span(stage.plan.wire) * 2 + 1;
                    let event = DeviceEvent::Dialled(epoch, !fails);
                    stage.device_after(delay, index, life, event);
                }
            }
            Output::Close { epoch, code } => {
                app.dialling.take_if(|dialling| *dialling == epoch);
                if let Some(line) = app.line.take_if(|(line, _)| *line == epoch) {
                    hang_up(stage, index, life, line, code);
                }
            }
            Output::Credentials { id, .. } => {
                let provided = match stage.strikes(Fault::BadCredentials, 25) {
                    false => Provided::Right,
                    true if stage.rng.chance(50) => Provided::Wrong,
                    true => Provided::Nothing,
                };
                let delay = if stage.rng.chance(60) {
                    0
                } else {
                    stage.rng.below(200)
                };
                stage.device_after(delay, index, life, DeviceEvent::Credentials(id, provided));
            }
            Output::Send { epoch, message } => self.sends(stage, epoch, message, failed),
            Output::Settle { id, result } => {
                let body = match result {
                    Ok(body) | Err(RequestError::Refused { body }) => Some(body),
                    Err(_) => None,
                };
                app.requests.remove(&id.0);
                if let Some(Err(what)) = body.map(|body| app.payloads.take(body)) {
                    stage.oracle.fail(format!("device {index}: {what}"));
                }
                if !(stage.is(Mutant::ForgottenPromise) && result == Err(RequestError::SentUnknown))
                {
                    stage.oracle.settled(index, id);
                }
            }
            Output::Release { body } => {
                if !stage.is(Mutant::LeakedPayload)
                    && let Err(what) = app.payloads.take(body)
                {
                    stage.oracle.fail(format!("device {index}: {what}"));
                }
            }
            Output::Deliver { .. } => {}
            Output::Turn { stream, turn, body } => {
                app.turns.insert(stream, turn);
                if stage.is(Mutant::PersistBeforeCallback)
                    && let Some(Payload::Stored(_, offset, _)) =
                        body.and_then(|body| app.payloads.look(body))
                    && let Some((epoch, _)) = self.storage
                {
                    let offset = *offset;
                    self.writes(stage, epoch, offset);
                }
                let delay = if stage.rng.chance(70) {
                    0
                } else {
                    stage.rng.below(20)
                };
                let event = DeviceEvent::Begin(stream, turn, body);
                stage.device_after(delay, index, life, event);
            }
            Output::Persist {
                stream,
                tag,
                handled,
            } => {
                let epoch = app.epochs[tag.0 as usize];
                let ok = self.writes(stage, epoch, handled);
                self.stored.push((stream, tag, handled, ok));
            }
            Output::Stand { stream, position } => {
                let mut said = protocol::Position {
                    epoch: app.epochs[position.tag.0 as usize],
                    received: position.received,
                    handled: position.handled,
                };
                if stage.is(Mutant::LoginAcksReceived) {
                    said.handled = said.received;
                }
                stage.oracle.says(index, said.epoch, said.handled);
                app.standing
                    .push((app.streams[stream.0 as usize].clone(), said));
            }
            Output::Event(event) => self.hears(stage, event),
        }
    }

    fn hears(&mut self, stage: &mut Stage, event: ClientEvent) {
        let Some(app) = &mut self.app else { return };
        match event {
            ClientEvent::LoggedIn { body, .. } | ClientEvent::LoginRefused { body } => {
                if let Err(what) = app.payloads.take(body) {
                    stage.oracle.fail(format!("device {}: {what}", self.index));
                }
            }
            ClientEvent::Gap {
                stream,
                tag,
                from,
                to,
                reason,
            } => {
                let epoch = app.epochs[tag.0 as usize];
                app.gaps.insert(stream, (epoch, from, to, reason));
            }
            ClientEvent::Poisoned { offset, .. } => stage.oracle.poisoned(self.index, offset),
            ClientEvent::Phase(_)
            | ClientEvent::Disconnected { .. }
            | ClientEvent::OutboxDropped { .. } => {}
        }
    }

    /// Writes a position into the storage, and answers what the driver says of it.
    fn writes(&mut self, stage: &mut Stage, epoch: u64, mut handled: u32) -> bool {
        if stage.strikes(Fault::StorageFails, 15) {
            stage.count("positions not stored");
            stage.oracle.stored(self.index, epoch, handled, false);
            return stage.is(Mutant::AckUnstored);
        }
        if stage.is(Mutant::PositionRegress) && self.storage.is_some() {
            handled = handled.saturating_sub(1);
        }
        self.storage = Some((epoch, handled));
        stage.oracle.stored(self.index, epoch, handled, true);
        true
    }

    fn sends(
        &mut self,
        stage: &mut Stage,
        epoch: Epoch,
        message: Outgoing,
        failed: &mut Vec<(Epoch, RequestId)>,
    ) {
        let (index, life) = (self.index, self.life);
        let Some(app) = &mut self.app else { return };
        let uuid = |id: RequestId| format!("d{index}l{life}-{}", id.0);
        let text = match message {
            Outgoing::Login { id } => {
                let Some((_, is_right)) = app.credentials.take().filter(|(asked, _)| *asked == id)
                else {
                    return failed.push((epoch, id));
                };
                let mut positions = std::mem::take(&mut app.standing);
                if stage.is(Mutant::LoginWithoutPosition) {
                    positions.clear();
                }
                let extension = LoginExtension {
                    device: self.name.as_str().into(),
                    positions: positions
                        .into_iter()
                        .map(|(name, at)| (name.into(), at))
                        .collect(),
                };
                let token = if is_right { &self.token } else { "wrong" };
                let data = protocol::encode_login_extended(&self.user, token, &extension);
                protocol::encode_request("login", Some(&data), &uuid(id))
            }
            Outgoing::Ping { id } => protocol::encode_request("ping", None, &uuid(id)),
            Outgoing::Pong { token } => match app.payloads.take(token) {
                Ok(Payload::Raw(raw)) => format!(r#"{{"event":"response","uuid":{raw}}}"#),
                other => {
                    stage
                        .oracle
                        .fail(format!("device {index}: a pong of {other:?}"));
                    return;
                }
            },
            Outgoing::Request { id } => protocol::encode_request("ask", None, &uuid(id)),
            Outgoing::Ack { stream, offset } => {
                stage.oracle.acknowledges(index, offset);
                protocol::encode_ack(&[(&app.streams[stream.0 as usize], offset)])
            }
            Outgoing::Park => protocol::encode_sign(protocol::PARK),
            Outgoing::Show => protocol::encode_sign(protocol::SHOW),
        };
        match app.line {
            Some((line, link)) if line == epoch => stage.send(link, Way::Up, Frame::Text(text)),
            // The socket has just closed, and the core, which is being told, noticed first that it had slept.
            None => {}
            Some(_) => stage.oracle.fail(format!(
                "device {index}: sends {text} on {epoch:?}, which has no socket"
            )),
        }
    }

    /// A dial has been answered, or not. The server has accepted the connection already when the client hears of it.
    pub(super) fn dialled(&mut self, stage: &mut Stage, epoch: Epoch, is_answered: bool) {
        let (index, life) = (self.index, self.life);
        if !is_answered {
            return self.feed(stage, Input::Failed { epoch });
        }
        let link = stage.network.connect(index, life, epoch);
        stage.after(0, Event::Accepted(link));
        let Some(app) = &mut self.app else { return };
        let is_wanted = app
            .dialling
            .take_if(|dialling| *dialling == epoch)
            .is_some();
        if is_wanted {
            app.line = Some((epoch, link));
        } else {
            hang_up(stage, self.index, self.life, (epoch, link), 1000);
        }
        if is_wanted || stage.strikes(Fault::LateSocket, 50) {
            let delay = stage.span(stage.plan.wire);
            let event = DeviceEvent::Socket(link, epoch, News::Opened);
            stage.device_after(delay, index, life, event);
        }
    }

    pub(super) fn provided(&mut self, stage: &mut Stage, id: RequestId, provided: Provided) {
        if let Some(app) = &mut self.app {
            app.credentials = Some((id, provided == Provided::Right));
        }
        let ready = provided != Provided::Nothing;
        self.feed(stage, Input::Credentials { id, ready });
    }

    pub(super) fn rings(&mut self, stage: &mut Stage, at: u64) {
        if self.app.as_ref().and_then(|app| app.timer) == Some(at) {
            if let Some(app) = &mut self.app {
                app.timer = None;
            }
            self.feed(stage, Input::Timeout);
        }
    }

    /// Arms the one timer.
    pub(super) fn set_timer(&mut self, stage: &mut Stage) {
        let now = self.clock(stage).0;
        let (index, life) = (self.index, self.life);
        let Some(app) = &mut self.app else { return };
        let at = app
            .client
            .poll_timeout()
            .map(|at| stage.now + at.0.saturating_sub(now));
        if at != app.timer {
            app.timer = at;
            if let Some(at) = at {
                let event = Event::Device(index, life, DeviceEvent::Timer(at));
                stage.queue.put(at, event);
            }
        }
    }
}

impl App {
    /// The core's number of this device's stream.
    pub(super) fn stream(&mut self, name: &str) -> StreamId {
        let at = self.streams.iter().position(|known| known == name);
        StreamId(at.unwrap_or_else(|| {
            self.streams.push(name.into());
            self.streams.len() - 1
        }) as u32)
    }
}

/// What no story needs.
fn is_small_talk(output: &Output) -> bool {
    matches!(
        output,
        Output::Release { .. }
            | Output::Send {
                message: Outgoing::Ping { .. } | Outgoing::Pong { .. },
                ..
            }
    )
}

/// The client's side ends a connection.
fn hang_up(stage: &mut Stage, device: usize, life: u32, (epoch, link): (Epoch, LinkId), code: u16) {
    let frame = Frame::Close {
        code: Some(code),
        retry_ms: None,
    };
    stage.send(link, Way::Up, frame);
    stage.network.client_leaves(link);
    if stage.strikes(Fault::LateSocket, 50) {
        // The platform says so long after.
        let delay = stage.rng.below(3_000);
        let event = DeviceEvent::Socket(link, epoch, News::Closed);
        stage.device_after(delay, device, life, event);
    }
}
