//! A device: the real core of the client, and a model of the driver around it. The driver's storage outlives its app.
//!
//! - `driver` – inputs in, outputs carried out; `arrive` – frames of the wire, told to the core
//! - `app` – who is called, takes its time, fails, asks, and is killed in the middle of it
//! - `payloads` – what the core knows by number only

mod app;
mod arrive;
mod driver;
mod payloads;

pub use arrive::is_small_talk;

use crate::event::{DeviceEvent, News, Recovery};
use crate::fault::Fault;
use crate::network::LinkId;
use crate::stage::Stage;
use heartline_client_core::{
    Client, Epoch, EpochTag, GapReason, Input, Millis, RequestId, StreamId,
};
use payloads::Payloads;
use std::collections::{BTreeMap, BTreeSet};

/// See the module's page.
pub struct Device {
    index: usize,
    /// Its stream's number, and name.
    stream: usize,
    user: String,
    name: String,
    token: String,
    /// What its storage remembers.
    storage: Option<(u64, u32)>,
    /// What became of positions that were to be stored, to be said to the core.
    stored: Vec<(StreamId, EpochTag, u32, bool)>,
    /// How far its clock is ahead of the world's.
    skew: i64,
    asleep_until: u64,
    life: u32,
    /// `None` while the app does not run.
    app: Option<App>,
}

/// What dies with the app.
struct App {
    client: Client,
    payloads: Payloads,
    streams: Vec<String>,
    epochs: Vec<u64>,
    standing: Vec<(String, heartline_protocol::Position)>,
    /// What the credentials provider gave, right or wrong, for a login.
    credentials: Option<(RequestId, bool)>,
    /// The dial that was ordered and not given up.
    dialling: Option<Epoch>,
    /// The socket of the present epoch.
    line: Option<(Epoch, LinkId)>,
    /// When the core's timer is set for, by the world's clock.
    timer: Option<u64>,
    /// The gap that was told last, of each stream.
    gaps: BTreeMap<StreamId, (u64, u32, u32, GapReason)>,
    /// The turns that the app has in hand.
    turns: BTreeMap<StreamId, u32>,
    /// Requests whose frames may have to be made.
    requests: BTreeSet<usize>,
}

/// The worlds' clocks begin here, so that one can also be set back.
const CLOCK_BEGINS: u64 = 100_000_000;
/// Epochs that a client may know.
const MAX_EPOCHS: usize = 4_096;

impl Device {
    /// A device of this user, whose app does not run yet.
    pub fn new(index: usize, stream: usize, stage: &mut Stage) -> Self {
        stage.oracle.follows(index, stream);
        let first = stage.rng.below(500);
        stage.device_after(first, index, 0, DeviceEvent::Restart);
        Self {
            index,
            stream,
            user: format!("user:{stream}"),
            name: format!("device-{index}"),
            token: heartline_protocol::classic_token(&stream.to_string(), crate::server::KEY),
            storage: None,
            stored: Vec::new(),
            skew: 0,
            asleep_until: 0,
            life: 0,
            app: None,
        }
    }

    /// What happens to it, and to nobody else.
    pub fn happens(&mut self, stage: &mut Stage, life: u32, event: DeviceEvent) {
        if life != self.life {
            return;
        }
        if self.asleep_until > stage.now && !matches!(event, DeviceEvent::Restart) {
            let rest = self.asleep_until - stage.now;
            return stage.device_after(rest, self.index, life, event);
        }
        match event {
            DeviceEvent::Timer(at) => self.rings(stage, at),
            DeviceEvent::Dialled(epoch, is_answered) => self.dialled(stage, epoch, is_answered),
            DeviceEvent::Socket(link, epoch, news) => self.socket(stage, link, epoch, news),
            DeviceEvent::Credentials(id, provided) => self.provided(stage, id, provided),
            DeviceEvent::Begin(stream, turn, body) => self.begin(stage, stream, turn, body),
            DeviceEvent::Return(stream, turn, ok) => self.returns(stage, stream, turn, ok),
            DeviceEvent::Ask => self.ask(stage),
            DeviceEvent::Better(Recovery::Awake) => self.feed(stage, Input::Timeout),
            DeviceEvent::Better(Recovery::Shown) => {
                self.feed(stage, Input::Visibility { visible: true });
            }
            DeviceEvent::Better(Recovery::Online) => {
                self.feed(stage, Input::Network { online: true });
            }
            DeviceEvent::Better(Recovery::Identity) => {
                self.feed(stage, Input::Identity { present: true });
            }
            DeviceEvent::Restart => self.starts(stage),
        }
    }

    /// News of one of its sockets, perhaps of an old one.
    fn socket(&mut self, stage: &mut Stage, link: LinkId, epoch: Epoch, news: News) {
        stage.tell(|| format!("device {}: socket {link} {news:?}", self.index));
        match news {
            News::Opened => self.feed(stage, Input::Opened { epoch }),
            News::Failed | News::Closed => {
                self.forgets(stage, link);
                self.feed(stage, closed(news, epoch));
                if stage.strikes(Fault::LateSocket, 50) {
                    // Told once more, or an error and then a close.
                    self.feed(stage, closed(News::Closed, epoch));
                }
            }
        }
    }

    /// A socket is gone.
    fn forgets(&mut self, stage: &mut Stage, link: LinkId) {
        stage.network.client_leaves(link);
        if let Some(app) = &mut self.app {
            app.line.take_if(|(_, line)| *line == link);
        }
    }

    /// Its stream's number.
    pub fn stream(&self) -> usize {
        self.stream
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The world is honest from now on: it is awake, shown, online and logged in.
    pub fn recovers(&mut self, stage: &mut Stage) {
        self.asleep_until = stage.now;
        if self.app.is_none() {
            self.life += 1;
            stage.device_after(0, self.index, self.life, DeviceEvent::Restart);
            return;
        }
        for input in [
            Input::Network { online: true },
            Input::Visibility { visible: true },
            Input::Start,
        ] {
            self.feed(stage, input);
        }
        let is_idle = self
            .app
            .as_ref()
            .is_some_and(|app| app.client.phase() == heartline_client_core::Phase::Idle);
        if is_idle {
            self.feed(stage, Input::Identity { present: true });
        }
    }

    /// The app says that its user is who they are: a new login on the same socket, soon.
    pub fn logs_in_again(&mut self, stage: &mut Stage) {
        let delay = stage.rng.below(300);
        let event = DeviceEvent::Better(Recovery::Identity);
        stage.device_after(delay, self.index, self.life, event);
    }

    /// What it still holds that it should not, when all is quiet.
    pub fn leaks(&self) -> Option<String> {
        let app = self.app.as_ref()?;
        let sizes = app.client.sizes();
        let is_small = sizes.outputs == 0
            && sizes.requests == 0
            && sizes.outbox_entries == 0
            && sizes.outbox_bytes == 0
            && sizes.listeners == 1
            && sizes.pool_slots <= 64;
        if !is_small {
            return Some(format!("device {}: {sizes:?}", self.index));
        }
        let kept = app.payloads.len();
        if kept + app.turns.len() + app.standing.len() + app.requests.len() > 0 {
            return Some(format!(
                "device {}: {kept} payloads, {} turns, {} requests are kept",
                self.index,
                app.turns.len(),
                app.requests.len()
            ));
        }
        (!app.client.phase().is_login())
            .then(|| format!("device {}: {:?}", self.index, app.client.phase()))
    }

    /// What its clock says.
    fn clock(&self, stage: &Stage) -> Millis {
        Millis((CLOCK_BEGINS + stage.now).saturating_add_signed(self.skew))
    }
}

fn closed<'a>(news: News, epoch: Epoch) -> Input<'a> {
    match news {
        News::Failed => Input::Failed { epoch },
        _ => Input::Closed {
            epoch,
            code: None,
            retry_after_ms: None,
        },
    }
}
