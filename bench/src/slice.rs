//! One slice of measurement: for some milliseconds messages are published, or pings asked, or both; then what is under way
//! is awaited. The server's CPU is read just before and just after.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::crowd::{Connection, Crowd, micros};
use crate::priority;
use crate::process::{Measured, machine_ticks, own_cpu};

/// What is done in a slice.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Plan {
    /// For how long.
    pub millis: u64,
    /// Messages, if any.
    pub publish: Option<Publishing>,
    /// Pings, if any.
    pub ping: Option<Pinging>,
}

/// Messages of a slice.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Publishing {
    /// Receivers: `from..to`, at random when there are several.
    pub users: (u32, u32),
    /// Size of the frame on the wire.
    pub frame_bytes: usize,
    /// When they leave.
    pub pace: Pace,
}

/// When messages leave.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub enum Pace {
    /// So many at once; the next when all have arrived everywhere.
    Bursts(u32),
    /// So many under way at any time.
    Window(u32),
    /// One every so many microseconds.
    EveryMicros(u64),
    /// One to each user, once, with so many under way.
    OnceEach(u32),
}

/// Pings of a slice: the connections `from..to`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Pinging {
    /// Who pings.
    pub connections: (usize, usize),
    /// None: each pings again when it is answered. Else all ping once in so many microseconds, one after another.
    pub every_micros: Option<u64>,
}

/// What a slice gave.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Slice {
    /// Until the last awaited arrival.
    pub seconds: f64,
    /// Messages.
    pub published: u64,
    /// Arrivals of them.
    pub deliveries: u64,
    /// Round trips.
    pub pings: u64,
    /// Publish to arrival, in microseconds.
    pub push: Spread,
    /// Round trips, in microseconds.
    pub ping: Spread,
    /// CPU of the server, in nanoseconds.
    pub server_ns: u64,
    /// Of which in user space, in clock ticks; and in the kernel.
    pub server_ticks: (u64, u64),
    /// CPU of this load generator.
    pub own_ns: u64,
    /// CPU that others used meanwhile, in clock ticks.
    pub foreign_ticks: u64,
    /// Connections that the server ended.
    pub lost: u32,
}

/// Percentiles.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Spread {
    /// Half are below.
    pub p50: u32,
    /// 99% are below.
    pub p99: u32,
    /// None is above.
    pub max: u32,
}

/// Runs slices; knows how large messages become.
#[derive(Default)]
pub struct Runner {
    /// Frame size → filler that gives it.
    fillers: HashMap<usize, usize>,
    random: u64,
}

impl Runner {
    /// Runs one slice. Pings come from `bystanders`, if there are any, in a thread apart: whoever reads a flood would be
    /// late to notice an answer, and blame the server for it. They come first on this machine, and the flood's reader
    /// gives way (see [`priority`]): neither would share the server's cores.
    pub fn run(
        &mut self,
        crowd: &mut Crowd,
        bystanders: Option<&mut Crowd>,
        server: &Measured,
        plan: &Plan,
    ) -> Result<Slice> {
        // While others were measured, the server may have ended the publisher's idle connection: notice it now.
        crowd.turn(Duration::ZERO, |_, _, _, _| {}, |_| {})?;
        let filler = match &plan.publish {
            Some(publishing) => self.filler(crowd, publishing)?,
            None => 0,
        };
        let lost = crowd.lost;
        let (server_before, own_before, machine_before) =
            (server.cpu(), own_cpu(), machine_ticks());
        let began = Instant::now();
        let (mut traffic, mut pings) = match bystanders {
            None => (self.drive(crowd, plan, filler)?, None),
            Some(bystanders) => std::thread::scope(|scope| {
                let alone = Plan {
                    publish: None,
                    ..plan.clone()
                };
                let room = Plan {
                    ping: None,
                    ..plan.clone()
                };
                let (runner, crowd) = (&mut *self, &mut *crowd);
                let traffic = scope.spawn(move || {
                    priority::give_way();
                    runner.drive(crowd, &room, filler)
                });
                // A thread of its own as well: what it may here ends with it.
                let pings = scope.spawn(move || {
                    priority::come_first();
                    Self::default().drive(bystanders, &alone, 0)
                });
                let joined = |thread: std::thread::ScopedJoinHandle<'_, Result<Traffic>>| {
                    thread
                        .join()
                        .map_err(|_| anyhow::anyhow!("a thread of the load generator panicked"))?
                };
                anyhow::Ok((joined(traffic)?, Some(joined(pings)?)))
            })?,
        };
        let ping_micros = pings
            .as_mut()
            .map_or(&mut traffic.ping_micros, |pings| &mut pings.ping_micros);
        let (ping_count, ping) = (ping_micros.len() as u64, Spread::of(ping_micros));
        let seconds = began.elapsed().as_secs_f64();
        let used = server.cpu().since(server_before);
        let own = own_cpu().since(own_before);
        let busy = machine_ticks().saturating_sub(machine_before);
        let ours = (used.total_ns + own.total_ns) / NS_PER_TICK;
        Ok(Slice {
            seconds,
            published: traffic.published,
            deliveries: traffic.push_micros.len() as u64,
            pings: ping_count,
            push: Spread::of(&mut traffic.push_micros),
            ping,
            server_ns: used.total_ns,
            server_ticks: (used.user_ticks, used.system_ticks),
            own_ns: own.total_ns,
            foreign_ticks: busy.saturating_sub(ours),
            lost: crowd.lost - lost,
        })
    }

    /// Sends what is due until the time is over, and awaits what is under way.
    fn drive(&mut self, crowd: &mut Crowd, plan: &Plan, filler: usize) -> Result<Traffic> {
        let mut traffic = Traffic::new(crowd, plan);
        let began = Instant::now();
        let end = began + Duration::from_millis(plan.millis);
        traffic.start_pings(crowd, plan)?;
        loop {
            let now = Instant::now();
            let over = now >= end;
            let to_each = matches!(
                plan.publish,
                Some(Publishing {
                    pace: Pace::OnceEach(_),
                    ..
                })
            );
            if let (Some(publishing), true) = (&plan.publish, !over || to_each) {
                traffic.publish(crowd, publishing, filler, began, &mut self.random)?;
            }
            if let (Some(ping), false) = (&plan.ping, over) {
                traffic.ping_in_turn(crowd, ping, began)?;
            }
            if over && traffic.is_done(plan) {
                return Ok(traffic);
            }
            if now > end.max(traffic.last_heard) + PATIENCE {
                bail!(
                    "{} deliveries and {} pings never came",
                    traffic.awaited,
                    traffic.pings_out
                );
            }
            let wait = traffic.pause(plan, end);
            crowd.turn(
                wait,
                |connection, at, frames, now| traffic.heard(connection, at, frames, now, now < end),
                |_| {},
            )?;
        }
    }

    /// How much text makes a frame of the wanted size: found by sending one.
    fn filler(&mut self, crowd: &mut Crowd, publishing: &Publishing) -> Result<usize> {
        let wanted = publishing.frame_bytes;
        if !crowd.has_protocol() {
            return Ok(0);
        }
        if let Some(filler) = self.fillers.get(&wanted) {
            return Ok(*filler);
        }
        let user = publishing.users.0;
        let awaited = crowd
            .connections
            .iter()
            .filter(|c| c.user == user && c.is_ready())
            .count();
        let message = crowd.message(user, PROBE);
        crowd.publish(&message)?;
        let (mut came, mut bytes) = (0, 0);
        let deadline = Instant::now() + PATIENCE;
        while came < awaited {
            if Instant::now() > deadline {
                bail!("the first message reached {came} of {awaited} connections");
            }
            let heard = |connection: &mut Connection, _: usize, frames: u32, _: Instant| {
                came += frames as usize;
                bytes = connection.last_frame_bytes;
            };
            crowd.turn(Duration::from_millis(100), heard, |_| {})?;
        }
        let filler = (PROBE + wanted).saturating_sub(bytes as usize);
        self.fillers.insert(wanted, filler);
        Ok(filler)
    }
}

/// What is under way in a slice.
struct Traffic {
    /// When each message of a user left. The nth arrival on a connection is the nth message: order is part of the promise.
    sent: Vec<Vec<Instant>>,
    first_user: u32,
    /// Connections of each user.
    devices: Vec<u32>,
    awaited: u64,
    published: u64,
    pings: (usize, usize),
    again: bool,
    pings_out: u64,
    turn: u64,
    ping_frame: Vec<u8>,
    push_micros: Vec<u32>,
    ping_micros: Vec<u32>,
    message: Option<(u32, Vec<u8>)>,
    last_heard: Instant,
}

impl Traffic {
    fn new(crowd: &mut Crowd, plan: &Plan) -> Self {
        let (first, last) = plan
            .publish
            .as_ref()
            .map_or((0, 0), |publishing| publishing.users);
        let mut devices = vec![0; (last - first) as usize];
        for connection in &mut crowd.connections {
            connection.seen = 0;
            if connection.is_ready() && (first..last).contains(&connection.user) {
                devices[(connection.user - first) as usize] += 1;
            }
        }
        Self {
            sent: vec![Vec::new(); devices.len()],
            first_user: first,
            devices,
            awaited: 0,
            published: 0,
            pings: plan.ping.as_ref().map_or((0, 0), |ping| ping.connections),
            again: plan
                .ping
                .as_ref()
                .is_some_and(|ping| ping.every_micros.is_none()),
            pings_out: 0,
            turn: 0,
            ping_frame: crowd.ping_frame().unwrap_or_default(),
            push_micros: Vec::new(),
            ping_micros: Vec::new(),
            message: None,
            last_heard: Instant::now(),
        }
    }

    fn start_pings(&mut self, crowd: &mut Crowd, plan: &Plan) -> Result<()> {
        if plan.ping.is_some() && self.ping_frame.is_empty() {
            bail!("it has no round trip");
        }
        if self.again {
            for connection in &mut crowd.connections[self.pings.0..self.pings.1] {
                connection.pinged = Instant::now();
                connection.send(&self.ping_frame)?;
                self.pings_out += 1;
            }
        }
        Ok(())
    }

    /// Publishes what is due.
    fn publish(
        &mut self,
        crowd: &mut Crowd,
        plan: &Publishing,
        filler: usize,
        began: Instant,
        random: &mut u64,
    ) -> Result<()> {
        let users = u64::from(plan.users.1 - plan.users.0);
        let per_message = u64::from(self.devices.first().copied().unwrap_or(0)).max(1);
        let due = match plan.pace {
            Pace::Bursts(size) if self.awaited == 0 => u64::from(size),
            Pace::Bursts(_) => 0,
            Pace::Window(size) => {
                u64::from(size).saturating_sub(self.awaited.div_ceil(per_message))
            }
            Pace::EveryMicros(step) => {
                (began.elapsed().as_micros() as u64 / step + 1).saturating_sub(self.published)
            }
            Pace::OnceEach(size) => u64::from(size)
                .saturating_sub(self.awaited.div_ceil(per_message))
                .min(users - self.published),
        };
        let mut bytes = Vec::new();
        for _ in 0..due {
            let user = match plan.pace {
                Pace::OnceEach(_) => plan.users.0 + self.published as u32,
                _ => plan.users.0 + (next_random(random) % users) as u32,
            };
            if self.message.as_ref().is_none_or(|(of, _)| *of != user) {
                self.message = Some((user, crowd.message(user, filler)));
            }
            bytes.extend(self.message.iter().flat_map(|(_, message)| message));
            if crowd.publishes_singly() {
                crowd.publish(&std::mem::take(&mut bytes))?;
            }
            let at = (user - self.first_user) as usize;
            self.sent[at].push(Instant::now());
            self.awaited += u64::from(self.devices[at]);
            self.published += 1;
        }
        if bytes.is_empty() {
            Ok(())
        } else {
            crowd.publish(&bytes)
        }
    }

    /// Sends the pings that are due when they have a pace.
    fn ping_in_turn(&mut self, crowd: &mut Crowd, ping: &Pinging, began: Instant) -> Result<()> {
        let Some(round) = ping.every_micros else {
            return Ok(());
        };
        let count = (self.pings.1 - self.pings.0) as u64;
        let due = began.elapsed().as_micros() as u64 * count / round;
        while self.turn < due {
            let connection = &mut crowd.connections[self.pings.0 + (self.turn % count) as usize];
            connection.pinged = Instant::now();
            connection.send(&self.ping_frame)?;
            self.pings_out += 1;
            self.turn += 1;
        }
        Ok(())
    }

    fn heard(
        &mut self,
        connection: &mut Connection,
        at: usize,
        frames: u32,
        now: Instant,
        running: bool,
    ) {
        self.last_heard = now;
        if (self.pings.0..self.pings.1).contains(&at) {
            self.ping_micros.push(micros(now - connection.pinged));
            self.pings_out = self.pings_out.saturating_sub(u64::from(frames));
            if self.again && running {
                connection.pinged = Instant::now();
                self.pings_out += u64::from(connection.send(&self.ping_frame).is_ok());
            }
            return;
        }
        let Some(sent) = connection
            .user
            .checked_sub(self.first_user)
            .and_then(|user| self.sent.get(user as usize))
        else {
            return;
        };
        for _ in 0..frames {
            let Some(left) = sent.get(connection.seen as usize) else {
                return;
            };
            self.push_micros
                .push(micros(now.saturating_duration_since(*left)));
            connection.seen += 1;
            self.awaited = self.awaited.saturating_sub(1);
        }
    }

    fn is_done(&self, plan: &Plan) -> bool {
        let all_sent = match &plan.publish {
            Some(Publishing {
                users,
                pace: Pace::OnceEach(_),
                ..
            }) => self.published == u64::from(users.1 - users.0),
            _ => true,
        };
        all_sent && self.awaited == 0 && self.pings_out == 0
    }

    /// How long there is nothing to send.
    fn pause(&self, plan: &Plan, end: Instant) -> Duration {
        let paced = plan
            .ping
            .as_ref()
            .is_some_and(|ping| ping.every_micros.is_some())
            || matches!(
                plan.publish,
                Some(Publishing {
                    pace: Pace::EveryMicros(_),
                    ..
                })
            );
        let longest = Duration::from_millis(if paced { 1 } else { 100 });
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            longest
        } else {
            longest.min(left)
        }
    }
}

impl Spread {
    fn of(samples: &mut [u32]) -> Self {
        samples.sort_unstable();
        let at = |part: f64| {
            samples
                .get(((samples.len() as f64 * part) as usize).min(samples.len().saturating_sub(1)))
        };
        let value = |part: f64| at(part).copied().unwrap_or(0);
        Self {
            p50: value(0.5),
            p99: value(0.99),
            max: value(1.0),
        }
    }
}

/// Xorshift: whom a random push goes to need be no better.
fn next_random(state: &mut u64) -> u64 {
    if *state == 0 {
        *state = 0x9e37_79b9_7f4a_7c15;
    }
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Text of the message that finds the envelope's size: long enough that the frame's header is that of the real one.
const PROBE: usize = 150;
/// How long nothing may come while something is awaited.
const PATIENCE: Duration = Duration::from_secs(20);
/// The kernel tells ticks of 1/100 s.
const NS_PER_TICK: u64 = 10_000_000;
