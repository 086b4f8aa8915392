//! The server: the real sessions, subscriptions, acknowledgements and store, and a model of the threads between them.
//!
//! - `connections` – what arrives, logins, the hub, what is sent
//! - `writer` – the committer: writes gather, are committed together, and what follows happens in their order
//! - `reader` – questions of connections, looked up one after another; shards' deliveries
//! - `lives` – crashes, drains, restarts, and the disk beneath

mod connections;
mod lives;
mod reader;
mod writer;

use crate::event::ServerEvent;
use crate::network::LinkId;
use crate::stage::Stage;
use heartline_protocol::User;
use heartline_server::config::{Secret, Timing};
use heartline_server::delivery::{Acks, Ask, Subscription};
use heartline_server::hub::{ConnectionRef, Generations, Registry};
use heartline_server::session::Session;
use heartline_server::store::{CrashDisk, EmbeddedStore, Store};
use reader::Delivered;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use writer::Waiting;

/// The key of the role of all users.
pub const KEY: &str = "simulated";

/// See the module's page.
pub struct Server {
    /// What belongs to another life is of no use any more.
    life: u32,
    is_up: bool,
    place: Place,
    /// `None` while it is down.
    store: Option<EmbeddedStore>,
    /// How often the folder was deleted.
    folders: u64,
    roles: BTreeMap<String, Secret>,
    timing: Timing,
    connections: BTreeMap<LinkId, Connection>,
    /// Who is registered for what comes live.
    hub: Registry,
    generations: Generations,
    waiting: Vec<Waiting>,
    /// Devices that are logged in without a registration: stream and name.
    unregistered: Vec<(Arc<str>, Arc<str>)>,
    is_committing: bool,
    questions: VecDeque<Question>,
    is_looking: bool,
    shards: [VecDeque<Delivered>; SHARDS],
    acks: Acks,
    last_turn: u32,
    last_ping: u64,
    ticks: u64,
    /// The next commit ends in a crash.
    crashes_in_commit: bool,
    /// The disk fails in the next commit.
    fails_in_commit: bool,
    /// A commit has failed: what of it is there after all is not known.
    is_unsure: bool,
}

/// What lies beneath the store.
enum Place {
    Memory,
    Disk(CrashDisk),
}

/// One connection.
struct Connection {
    /// What deliveries are addressed to.
    at: ConnectionRef,
    session: Session,
    subscription: Option<Subscription>,
    /// A page was asked for before: what follows is not the first.
    has_read: bool,
}

/// A question of a connection.
struct Question {
    link: LinkId,
    turn: u32,
    stream: String,
    device: Arc<str>,
    ask: Ask,
}

/// Shards, each with its own queue of deliveries.
const SHARDS: usize = 2;
/// Where the server's clock begins.
const CLOCK_BEGINS: u64 = 1_000_000;

impl Server {
    /// A server that is up.
    pub fn new(stage: &mut Stage) -> Self {
        let place = if stage.plan.crash_disk {
            Place::Disk(CrashDisk::default())
        } else {
            Place::Memory
        };
        let mut server = Self {
            life: 0,
            is_up: true,
            place,
            store: None,
            folders: 0,
            roles: BTreeMap::from([("user".into(), Secret::new(KEY))]),
            timing: Timing {
                ping_interval_ms: 20_000,
                idle_timeout_ms: 60_000,
                login_deadline_ms: 120_000,
                drain_window_ms: 5_000,
            },
            connections: BTreeMap::new(),
            hub: Registry::new(usize::MAX),
            generations: Generations::default(),
            waiting: Vec::new(),
            unregistered: Vec::new(),
            is_committing: false,
            questions: VecDeque::new(),
            is_looking: false,
            shards: Default::default(),
            acks: Acks::default(),
            last_turn: 0,
            last_ping: 0,
            ticks: 0,
            crashes_in_commit: false,
            fails_in_commit: false,
            is_unsure: false,
        };
        server.open(stage);
        server
    }

    /// What happens to it, in one of its lives.
    pub fn happens(&mut self, stage: &mut Stage, life: u32, event: ServerEvent) {
        if life != self.life || !self.is_up {
            return;
        }
        match event {
            ServerEvent::Commit => self.commit(stage),
            ServerEvent::Look => self.look(stage),
            ServerEvent::Answer(link, turn, answer) => self.answered(stage, link, turn, answer),
            ServerEvent::Deliver(shard) => self.deliver(stage, shard),
        }
    }

    /// A quarter of a second has passed: acknowledgements are written, connections looked at, retention has its turn.
    pub fn tick(&mut self, stage: &mut Stage) {
        self.ticks += 1;
        if !self.is_up {
            return;
        }
        if !self.acks.has_failed() || self.ticks.is_multiple_of(TRIM_TICKS) {
            self.write_acks(stage);
        }
        if self.ticks.is_multiple_of(4) {
            self.sweep(stage);
        }
        if self.ticks.is_multiple_of(TRIM_TICKS) {
            self.is_sure(stage);
            if let Some(store) = &self.store
                && let Err(error) = store.trim(self.now(stage), 2_000)
            {
                stage.tell(|| format!("server: retention failed: {error}"));
            }
            if self.is_unsure {
                // What retention writes opens the file again as well.
                self.compare_all(stage);
            }
            self.tell_trimmed(stage);
        }
    }

    /// What it still holds that it should not, when all is quiet and so many devices are connected.
    pub fn leaks(&self, devices: usize) -> Option<String> {
        let registered = |user: &Option<User>| {
            let user = user.as_ref();
            user.map_or(0, |user| self.hub.connections(user).len())
        };
        let users = self.connections.values();
        let users: std::collections::BTreeSet<_> = users
            .map(|connection| connection.session.user().cloned())
            .collect();
        // Nobody else may be registered.
        let registered = match users.len() - usize::from(users.contains(&None)) {
            named if named == self.hub.users() => users.iter().map(registered).sum(),
            _ => usize::MAX,
        };
        let queued: usize = self.shards.iter().map(VecDeque::len).sum();
        let held = (
            self.connections.len(),
            registered,
            self.waiting.len() + self.questions.len() + queued,
        );
        (held != (devices, devices, 0)).then(|| {
            format!("server: {held:?} connections, registered and queued, for {devices} devices")
        })
    }

    /// Whether it runs.
    pub fn is_up(&self) -> bool {
        self.is_up
    }

    /// What its store has of a device's acknowledgements.
    pub fn acked(&self, stream: usize, device: &str) -> Option<u32> {
        let state = self.store.as_ref()?.device(&name(stream), device);
        state.ok().flatten().map(|state| state.acked.0)
    }

    /// Milliseconds of its clock.
    fn now(&self, stage: &Stage) -> u64 {
        CLOCK_BEGINS + stage.now
    }
}

/// Retention has its turn every so many ticks.
const TRIM_TICKS: u64 = 20;

/// The name of a stream.
pub fn name(stream: usize) -> String {
    format!("user:{stream}")
}

/// The number of a stream.
fn number(name: &str) -> usize {
    name.strip_prefix("user:")
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

/// The number of a device; guests have none.
fn device_number(name: &str) -> Option<usize> {
    name.strip_prefix("device-")?.parse().ok()
}
