//! The world: everybody, and the loop that lets the next event happen. First faults, up to the plan's horizon; then an honest world, which
//! must come to rest with everything delivered and nothing left over.

use crate::device::Device;
use crate::event::{DeviceEvent, Event, News};
use crate::fault::Fault;
use crate::guest::Guest;
use crate::mutant::Mutant;
use crate::network::LinkId;
use crate::plan::Plan;
use crate::publisher::Publisher;
use crate::server::Server;
use crate::stage::Stage;
use crate::story::Story;
use crate::tally::Tally;

/// See the module's page.
pub struct World {
    stage: Stage,
    server: Server,
    devices: Vec<Device>,
    /// Their numbers follow those of the devices.
    guests: Vec<Guest>,
    publisher: Publisher,
    steps: u64,
}

/// What came of a run.
#[derive(Debug)]
pub struct Ending {
    /// Events that happened; ticks of the server are not counted.
    pub steps: u64,
    /// The clock's last word.
    pub ended_ms: u64,
    /// What happened, and how often.
    pub tally: Tally,
    /// What must not be.
    pub failure: Option<String>,
    /// The last events.
    pub story: Vec<String>,
}

/// How long an honest world may take to come to rest: the longest backoffs, a half-open line that is found out, and an idle close.
const REST_MS: u64 = 400_000;
/// It is not asked before.
const SETTLE_MS: u64 = 5_000;
/// More events than that are a loop.
const MAX_STEPS: u64 = 400_000;
/// The server's tick.
const TICK_MS: u64 = 250;

impl World {
    /// Plays a plan to its end.
    pub fn play(plan: Plan, mutant: Option<Mutant>, keeps: usize) -> Ending {
        let mut stage = Stage::new(plan, mutant, Story::new(keeps));
        let server = Server::new(&mut stage);
        let users = stage.plan.devices.clone();
        let mut devices = Vec::new();
        for (stream, count) in users.into_iter().enumerate() {
            for _ in 0..count {
                devices.push(Device::new(devices.len(), stream, &mut stage));
            }
        }
        let guests = (0..usize::from(stage.plan.guests))
            .map(|at| Guest::new(devices.len(), at, &mut stage))
            .collect();
        stage.after(TICK_MS, Event::Tick);
        stage.after(10, Event::Publish);
        let first = stage.span(stage.plan.fault_every);
        stage.after(first, Event::Fault);
        let mut world = Self {
            stage,
            server,
            devices,
            guests,
            publisher: Publisher::default(),
            steps: 0,
        };
        world.run();
        Ending {
            steps: world.steps,
            ended_ms: world.stage.now,
            failure: world.stage.oracle.failure().map(str::to_owned),
            tally: world.stage.oracle.tally,
            story: world.stage.story.lines(),
        }
    }

    fn run(&mut self) {
        while self.stage.oracle.failure().is_none()
            && let Some((at_ms, event)) = self.stage.queue.pop()
        {
            self.stage.now = at_ms;
            if matches!(event, Event::Tick) {
                self.server.tick(&mut self.stage);
                self.stage.after(TICK_MS, Event::Tick);
                if self.has_ended() {
                    return;
                }
                continue;
            }
            self.steps += 1;
            if self.steps > MAX_STEPS {
                self.stage
                    .oracle
                    .fail("the world does not come to rest".into());
            }
            self.happens(event);
        }
    }

    fn happens(&mut self, event: Event) {
        // What the store takes for acknowledged changes here only.
        let is_servers = matches!(event, Event::Server(..) | Event::Up(_));
        let stage = &mut self.stage;
        match event {
            Event::Up(link) => self.server.arrives(stage, link),
            Event::Down(link) => {
                let device = stage.network.link(link).map(|link| link.device);
                let Some(device) = device else { return };
                match self.devices.get_mut(device) {
                    Some(device) => device.arrives(stage, link),
                    None => self.guests[device - self.devices.len()].arrives(stage, link),
                }
            }
            Event::Accepted(link) => self.server.accepts(stage, link),
            Event::ServerLearns(link) => self.server.remove(stage, link),
            Event::Device(device, life, event) => match self.devices.get_mut(device) {
                Some(device) => device.happens(stage, life, event),
                None => self.guests[device - self.devices.len()].leaves(stage),
            },
            Event::Guest(at) => self.guests[at].acts(stage),
            Event::Server(life, event) => self.server.happens(stage, life, event),
            Event::ServerStarts => self.server.starts(stage),
            Event::DiskHasRoom => self.server.has_room(),
            Event::Publish => self.publisher.publish(stage),
            Event::PushArrives(n) => self.publisher.arrives(stage, &mut self.server, n),
            Event::PushAnswer(n, ok) => self.publisher.answered(stage, n, ok),
            Event::PushOverdue(n, tries) => self.publisher.overdue(stage, n, tries),
            Event::Farewell => {
                for device in &mut self.devices {
                    if stage.rng.chance(60) {
                        device.logs_in_again(stage);
                    }
                }
            }
            Event::Fault => self.fault(),
            Event::Tick => {}
        }
        // What a commit that it died in left behind is told when it starts again.
        if is_servers && self.server.is_up() {
            for (at, device) in self.devices.iter().enumerate() {
                let acked = self.server.acked(device.stream(), device.name());
                self.stage.oracle.acked(at, acked);
            }
        }
    }

    /// Something goes wrong, and something else will.
    fn fault(&mut self) {
        if self.stage.is_honest {
            return;
        }
        let next = self.stage.span(self.stage.plan.fault_every);
        self.stage.after(next, Event::Fault);
        let faults: Vec<Fault> = self.stage.plan.faults.iter().collect();
        if faults.is_empty() {
            return;
        }
        match *self.stage.rng.pick(&faults) {
            Fault::Cut => self.cut(),
            Fault::Stall => {
                if let Some(link) = self.some_link() {
                    let until = self.stage.now + self.stage.rng.within((50, 20_000));
                    self.stage
                        .tell(|| format!("network: {link} stalls until {until}"));
                    self.stage.network.stall(link, until);
                }
            }
            // Half as often: everybody suffers from these.
            fault @ (Fault::ServerCrash
            | Fault::CommitCrash
            | Fault::Drain
            | Fault::DeletedFolder
            | Fault::DiskFull
            | Fault::DiskFails) => {
                if self.stage.rng.chance(50) {
                    self.server.suffers(&mut self.stage, fault);
                }
            }
            fault => {
                let device = self.stage.rng.below(self.devices.len() as u64) as usize;
                self.devices[device].suffers(&mut self.stage, fault);
            }
        }
    }

    /// A connection dies, and each side learns of it late or never.
    fn cut(&mut self) {
        let Some(id) = self.some_link() else { return };
        let stage = &mut self.stage;
        let Some(link) = stage.network.link(id) else {
            return;
        };
        let (device, life, epoch) = (link.device, link.life, link.epoch);
        stage.count("connections cut");
        stage.tell(|| format!("network: {id} is cut"));
        stage.network.cut(id, &mut stage.rng);
        if stage.rng.chance(70) {
            let delay = stage.rng.below(3_000);
            let news = if stage.rng.chance(50) {
                News::Closed
            } else {
                News::Failed
            };
            stage.device_after(delay, device, life, DeviceEvent::Socket(id, epoch, news));
        }
        if stage.rng.chance(60) {
            let delay = stage.rng.below(6_000);
            stage.after(delay, Event::ServerLearns(id));
        }
    }

    fn some_link(&mut self) -> Option<LinkId> {
        let links: Vec<LinkId> = self.stage.network.links().map(|(id, _)| id).collect();
        (!links.is_empty()).then(|| *self.stage.rng.pick(&links))
    }

    /// Whether the world has come to rest, in the way in which it must.
    fn has_ended(&mut self) -> bool {
        let (now, horizon) = (self.stage.now, self.stage.plan.horizon_ms);
        if !self.stage.is_honest && now >= horizon {
            self.stage.tell(|| "the world is honest from now on".into());
            self.stage.is_honest = true;
            self.server.has_room();
            let links: Vec<LinkId> = self.stage.network.links().map(|(id, _)| id).collect();
            links
                .into_iter()
                .for_each(|link| self.stage.network.stall(link, now));
            for guest in &mut self.guests {
                guest.leaves(&mut self.stage);
            }
            for device in &mut self.devices {
                device.recovers(&mut self.stage);
            }
        }
        if now < horizon + SETTLE_MS || !now.is_multiple_of(4 * TICK_MS) {
            return false;
        }
        let Some(what) = self.unrest() else {
            return true;
        };
        if now > horizon + REST_MS {
            self.stage.oracle.fail(format!("at the end, {what}"));
        }
        false
    }

    /// What is not as it must be when all is quiet.
    fn unrest(&self) -> Option<String> {
        let (now, oracle) = (self.stage.now, &self.stage.oracle);
        if let Some(what) = self.publisher.waits_for() {
            return Some(what);
        }
        for at in 0..self.devices.len() {
            if let Some(what) = oracle.still_missing(now, at) {
                return Some(what);
            }
            if oracle.unsettled(at) > 0 {
                return Some(format!(
                    "device {at}: {} requests are not settled",
                    oracle.unsettled(at)
                ));
            }
        }
        if let Some(what) = self.devices.iter().find_map(Device::leaks) {
            return Some(what);
        }
        if let Some(what) = self.server.leaks(self.devices.len()) {
            return Some(what);
        }
        let links = self.stage.network.links().count();
        if links != self.devices.len() {
            return Some(format!(
                "{links} connections for {} devices",
                self.devices.len()
            ));
        }
        self.devices.iter().enumerate().find_map(|(at, device)| {
            oracle.not_acked(at, self.server.acked(device.stream(), device.name()))
        })
    }
}
