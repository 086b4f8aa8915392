//! The app on a device: called for each turn, it takes its time, sometimes fails, asks the server things, and may be killed at any point:
//! before it is called, while it is, and after it has returned but before that is stored.

use super::payloads::{Payload, Payloads};
use super::{App, Device};
use crate::event::{DeviceEvent, Recovery};
use crate::fault::Fault;
use crate::mutant::Mutant;
use crate::network::LinkId;
use crate::stage::Stage;
use heartline_client_core::{
    Client, Input, ListenMode, PayloadRef, RequestOptions, StreamId, Unsent,
};
use std::collections::{BTreeMap, BTreeSet};

impl Device {
    /// The app is started, with what the storage remembers.
    pub(super) fn starts(&mut self, stage: &mut Stage) {
        if self.app.is_some() {
            return;
        }
        stage.tell(|| {
            format!(
                "device {}: the app starts at {:x?}",
                self.index, self.storage
            )
        });
        let seed = stage.rng.bits();
        let client = Client::new(stage.plan.client.clone(), seed, self.clock(stage));
        let mut app = App {
            client,
            payloads: Payloads::default(),
            streams: Vec::new(),
            epochs: Vec::new(),
            standing: Vec::new(),
            credentials: None,
            dialling: None,
            line: None,
            timer: None,
            gaps: BTreeMap::new(),
            turns: BTreeMap::new(),
            requests: BTreeSet::new(),
        };
        let known = self.storage.map(|(epoch, handled)| {
            let (stream, tag) = app.remembers(&self.user, epoch);
            Input::Position {
                stream,
                tag,
                handled,
            }
        });
        let listener = app.client.next_listener_id();
        self.app = Some(app);
        let listen = Input::Listen {
            listener,
            pattern: "chat*",
            mode: ListenMode::Add,
        };
        let present = Input::Identity { present: true };
        for input in known.into_iter().chain([listen, Input::Start, present]) {
            self.feed(stage, input);
        }
        let first = stage.rng.below(3_000);
        stage.device_after(first, self.index, self.life, DeviceEvent::Ask);
    }

    /// The app is killed. Its sockets die with it; the server learns of that late, or never.
    pub fn killed(&mut self, stage: &mut Stage) {
        if self.app.take().is_none() {
            return;
        }
        stage.tell(|| format!("device {}: the app is killed", self.index));
        stage.count("apps killed");
        stage.oracle.killed(self.index);
        let links: Vec<LinkId> = stage
            .network
            .links()
            .filter(|(_, link)| link.device == self.index)
            .map(|(id, _)| id)
            .collect();
        for link in links {
            stage.network.abandon(link);
            if stage.rng.chance(70) {
                let delay = stage.rng.below(1_500);
                stage.after(delay, crate::event::Event::ServerLearns(link));
            }
        }
        self.life += 1;
        self.asleep_until = 0;
        let delay = stage.rng.below(4_000);
        stage.device_after(delay, self.index, self.life, DeviceEvent::Restart);
    }

    /// Its turn: the app is called.
    pub(super) fn begin(
        &mut self,
        stage: &mut Stage,
        stream: StreamId,
        turn: u32,
        body: Option<PayloadRef>,
    ) {
        let Some(app) = &mut self.app else { return };
        if app.turns.get(&stream) != Some(&turn) {
            return;
        }
        match body {
            Some(body) => {
                let Some(Payload::Stored(event, offset, n)) = app.payloads.look(body) else {
                    let what = format!("device {}: a turn without its payload", self.index);
                    return stage.oracle.fail(what);
                };
                let (offset, n) = (*offset, *n);
                if app.client.hearers(event).count() != 1 {
                    stage
                        .oracle
                        .fail(format!("device {}: {event} is not heard once", self.index));
                }
                stage.tell(|| format!("device {}: called for {offset} (push {n})", self.index));
                stage.oracle.begin(stage.now, self.index, offset, n);
            }
            None => {
                let Some((epoch, from, to, reason)) = app.gaps.get(&stream).copied() else {
                    let what = format!("device {}: a turn for a gap that was not told", self.index);
                    return stage.oracle.fail(what);
                };
                if !stage.is(Mutant::GapSwallowed) {
                    let place = (from, to);
                    stage
                        .oracle
                        .told_gap(stage.now, self.index, epoch, place, reason);
                }
            }
        }
        let slow = stage.strikes(Fault::SlowCallback, 5);
        let takes = if slow {
            stage.rng.below(6_000)
        } else {
            stage.span(stage.plan.callback)
        };
        let often = if stage.rng.chance(10) { 90 } else { 12 };
        let ok = !stage.strikes(Fault::CallbackFails, often);
        if stage.strikes(Fault::AppCrash, 1) {
            return self.killed(stage);
        }
        let event = DeviceEvent::Return(stream, turn, ok);
        stage.device_after(takes, self.index, self.life, event);
    }

    /// The app's callback returns.
    pub(super) fn returns(&mut self, stage: &mut Stage, stream: StreamId, turn: u32, ok: bool) {
        let Some(app) = &mut self.app else { return };
        if app.turns.get(&stream) == Some(&turn) {
            app.turns.remove(&stream);
        }
        stage.oracle.returned(self.index, ok);
        if stage.strikes(Fault::AppCrash, 2) {
            return self.killed(stage);
        }
        let ok = ok || stage.is(Mutant::RedeliveryForgotten);
        self.feed(stage, Input::Handled { stream, turn, ok });
    }

    /// The app asks the server something, and will again.
    pub(super) fn ask(&mut self, stage: &mut Stage) {
        if stage.is_honest {
            return;
        }
        let next = stage.rng.within((500, 6_000));
        stage.device_after(next, self.index, self.life, DeviceEvent::Ask);
        let Some(app) = &mut self.app else { return };
        let id = app.client.next_request_id();
        let options = RequestOptions {
            timeout_ms: *stage.rng.pick(&[0, 0, 300, 4_000]),
            unsent: match stage.rng.below(3) {
                0 => Unsent::Fail,
                key => Unsent::Queue {
                    key: key as u32 - 1,
                },
            },
            before_login: stage.rng.chance(20),
            idempotent: stage.rng.chance(40),
            bytes: 40,
        };
        app.requests.insert(id.0);
        stage.oracle.asks(self.index, id);
        self.feed(stage, Input::Request { id, options });
        if stage.rng.chance(10) {
            self.feed(stage, Input::Cancel { id });
        }
    }

    /// One of the faults of a device.
    pub fn suffers(&mut self, stage: &mut Stage, fault: Fault) {
        stage.tell(|| format!("device {}: {fault:?}", self.index));
        let lasts = stage.rng.within((100, 8_000));
        let better = |stage: &mut Stage, what| {
            stage.device_after(lasts, self.index, self.life, DeviceEvent::Better(what));
        };
        match fault {
            Fault::ClockJump => {
                let by = stage.rng.within((1_000, 120_000)) as i64;
                self.skew += if stage.rng.chance(40) { -by } else { by };
                self.set_timer(stage);
            }
            Fault::Sleep => {
                better(stage, Recovery::Awake);
                self.asleep_until = stage.now + lasts;
            }
            Fault::Hide => {
                better(stage, Recovery::Shown);
                self.feed(stage, Input::Visibility { visible: false });
            }
            Fault::Offline => {
                better(stage, Recovery::Online);
                self.feed(stage, Input::Network { online: false });
            }
            Fault::Disconnect => self.feed(stage, Input::Disconnect),
            Fault::Relogin if stage.rng.chance(40) => {
                better(stage, Recovery::Identity);
                self.feed(stage, Input::Identity { present: false });
            }
            Fault::Relogin => self.feed(stage, Input::Identity { present: true }),
            Fault::AppCrash => self.killed(stage),
            _ => {}
        }
    }
}
