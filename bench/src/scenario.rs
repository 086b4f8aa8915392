//! The scenarios: who connects, what is sent, what is read. How it is told is the report's business.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::agent::{Growth, Order};
use crate::fleet::{Case, Fleet};
use crate::slice::{Pace, Pinging, Plan, Publishing};

/// How much is done.
#[derive(Clone, Debug)]
pub struct Scale {
    /// Sizes at which memory is read; the first is what the others are compared with.
    pub memory: Vec<usize>,
    /// Sizes of the fan-out at which all take part.
    pub fanout: Vec<usize>,
    /// Sizes at which only ours and the floor do, to see the growth.
    pub growth: Vec<usize>,
    /// Rounds of each case.
    pub rounds: usize,
    /// Length of a slice.
    pub millis: u64,
    /// Logins before and after the counted ones.
    pub logins: (usize, usize),
    /// Users with three devices each.
    pub users: u32,
    /// Members of the flooded room.
    pub room: usize,
    /// Of whom 1% freeze.
    pub readers: usize,
    /// How long memory may settle before it is read.
    pub settle_millis: u64,
    /// Length of the slice that tells user space from kernel: the clock's ticks are coarse.
    pub split_millis: u64,
    /// Length of a slice in which pings have a pace, and the rounds of such.
    pub long: (u64, usize),
}

impl Scale {
    /// Everything the goals speak of.
    pub fn full() -> Self {
        Self {
            memory: vec![1_000, 3_000, 10_000, 19_000],
            fanout: vec![1_000, 10_000],
            growth: vec![3_000, 19_000],
            rounds: 5,
            millis: 250,
            logins: (500, 3_500),
            users: 6_000,
            room: 5_000,
            readers: 2_000,
            settle_millis: 1_000,
            split_millis: 2_000,
            long: (1_200, 3),
        }
    }

    /// The same questions asked small.
    pub fn quick() -> Self {
        Self {
            memory: vec![1_000, 2_000],
            fanout: vec![1_000],
            growth: Vec::new(),
            rounds: 3,
            millis: 150,
            logins: (200, 1_000),
            users: 600,
            room: 1_000,
            readers: 500,
            settle_millis: 300,
            split_millis: 500,
            long: (600, 2),
        }
    }
}

/// Memory of one peer as its crowd grows.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Who.
    pub peer: String,
    /// The server with its first hundred connections.
    pub base: u64,
    /// Connections, bytes per connection above the base, the kernel's growth per connection (both ends).
    pub points: Vec<(usize, f64, f64)>,
    /// Bytes per connection after messages to all.
    pub after_traffic: Option<f64>,
}

/// Idle memory of logged-in connections, each of another user.
pub fn memory(fleet: &mut Fleet, scale: &Scale) -> Result<Vec<Memory>> {
    fleet.muster("memory", |name| {
        !["floor", "heartline-1-shard"].contains(&name)
    })?;
    let mut all = Vec::new();
    for name in fleet.present() {
        println!("   memory: {name}");
        let measured = memory_of(fleet, &name, scale);
        fleet.tell(&name, &Order::Stop);
        all.extend(measured);
    }
    fleet.disband();
    Ok(all)
}

fn memory_of(fleet: &mut Fleet, name: &str, scale: &Scale) -> Option<Memory> {
    fleet.tell(name, &Order::Start)?;
    fleet.grow(name, BASE, 1, 0)?;
    fleet.tell(name, &Order::Publisher)?;
    fleet.tell(name, &Order::Run(to_each(BASE as u32)))?;
    let (base, kernel_base) = fleet.memory(name, scale.settle_millis)?;
    let mut memory = Memory {
        peer: name.to_owned(),
        base,
        ..Memory::default()
    };
    let mut before = BASE;
    for &size in &scale.memory {
        // A peer that ends here keeps what was read of it; why it ended is told by the fleet.
        if fleet.grow(name, size, 1, before as u32).is_none() {
            return Some(memory);
        }
        before = size;
        let (bytes, kernel) = fleet.memory(name, scale.settle_millis)?;
        memory.points.push((
            size,
            per(bytes, base, size - BASE),
            per(kernel, kernel_base, size - BASE),
        ));
    }
    let began = Instant::now();
    for round in 0..3 {
        // A peer that needs long for one has been stirred enough by it.
        if round == 0 || began.elapsed() < ENOUGH {
            fleet.tell(name, &Order::Run(to_each(before as u32)))?;
        }
    }
    let (bytes, _) = fleet.memory(name, 2 * scale.settle_millis)?;
    memory.after_traffic = Some(per(bytes, base, before - BASE));
    Some(memory)
}

fn to_each(users: u32) -> Plan {
    let publish = Publishing {
        users: (0, users),
        frame_bytes: FRAME,
        pace: Pace::OnceEach(32),
    };
    Plan {
        millis: 1,
        publish: Some(publish),
        ping: None,
    }
}

fn per(now: u64, base: u64, count: usize) -> f64 {
    (now as f64 - base as f64) / count as f64
}

/// Connect and log in, 64 at a time: rounds in which each peer is started afresh.
pub fn connect(fleet: &mut Fleet, scale: &Scale) -> Result<Vec<(String, Vec<Growth>)>> {
    fleet.muster("connect", |name| name != "floor")?;
    let mut all: Vec<(String, Vec<Growth>)> = fleet
        .present()
        .into_iter()
        .map(|name| (name, Vec::new()))
        .collect();
    let rounds = scale.long.1;
    for _ in 0..rounds {
        for (name, growths) in &mut all {
            let counted = (|| {
                fleet.tell(name, &Order::Start)?;
                fleet.grow(name, scale.logins.0, 1, 0)?;
                let growth = fleet.grow(name, scale.logins.1, 1, scale.logins.0 as u32)?;
                fleet.tell(name, &Order::Stop)?;
                Some(growth)
            })();
            growths.extend(counted);
        }
    }
    fleet.disband();
    all.retain(|(_, growths)| growths.len() == rounds);
    Ok(all)
}

/// Fan-out to so many connections of one user.
#[derive(Clone, Debug)]
pub struct FanOut {
    /// Connections.
    pub recipients: usize,
    /// Messages published back to back.
    pub in_flight: u32,
    /// What the slices gave.
    pub case: Case,
    /// One long slice of each, to tell user space from kernel.
    pub split: Case,
}

/// Fan-out to one user's N connections.
pub fn fanout(fleet: &mut Fleet, scale: &Scale) -> Result<Vec<FanOut>> {
    let mut all = Vec::new();
    fleet.muster("fan-out", |_| true)?;
    fleet.gather(&[everyone(scale.fanout[0])], true);
    for (at, &recipients) in scale.fanout.iter().enumerate() {
        if at > 0 {
            fleet.tell_all(&everyone(recipients));
        }
        for in_flight in [1, 16] {
            println!("   fan-out to {recipients}, {in_flight} in flight");
            all.push(fanout_case(fleet, scale, recipients, in_flight));
        }
    }
    fleet.disband();
    for &recipients in &scale.growth {
        println!("   fan-out to {recipients}: ours and the floor");
        fleet.muster("fan-out", |name| {
            name == "floor" || name.starts_with("heartline")
        })?;
        fleet.gather(&[everyone(recipients)], true);
        all.push(fanout_case(fleet, scale, recipients, 1));
        fleet.disband();
    }
    all.sort_by_key(|one| (one.in_flight, one.recipients));
    Ok(all)
}

fn fanout_case(fleet: &mut Fleet, scale: &Scale, recipients: usize, in_flight: u32) -> FanOut {
    // A burst to all takes a slow peer seconds: fewer of them.
    let rounds = if in_flight == 1 {
        scale.rounds
    } else {
        scale.rounds.min(3)
    };
    let case = fleet.alternate(rounds, &bursts(in_flight, scale.millis));
    let split = fleet.once(&bursts(
        in_flight,
        if in_flight == 1 {
            scale.split_millis
        } else {
            scale.millis
        },
    ));
    FanOut {
        recipients,
        in_flight,
        case,
        split,
    }
}

/// Everything belongs to user 0.
fn everyone(total: usize) -> Order {
    Order::Grow {
        total,
        devices: 0,
        first_user: 0,
    }
}

fn bursts(in_flight: u32, millis: u64) -> Plan {
    let publish = Publishing {
        users: (0, 1),
        frame_bytes: FRAME,
        pace: Pace::Bursts(in_flight),
    };
    Plan {
        millis,
        publish: Some(publish),
        ping: None,
    }
}

/// Round trips: every connection asks again as soon as it is answered.
pub fn ping(fleet: &mut Fleet, scale: &Scale) -> Result<Vec<(usize, Case)>> {
    fleet.muster("ping", |name| name != "floor")?;
    fleet.tell_all(&Order::Start);
    let mut all = Vec::new();
    let mut before = 0;
    for size in [64, 1_000] {
        println!("   ping from {size} connections");
        fleet.tell_all(&Order::Grow {
            total: size,
            devices: 1,
            first_user: before,
        });
        before = size as u32;
        let ping = Pinging {
            connections: (0, size),
            every_micros: None,
        };
        all.push((
            size,
            fleet.alternate(
                scale.rounds,
                &Plan {
                    millis: scale.millis,
                    publish: None,
                    ping: Some(ping),
                },
            ),
        ));
    }
    fleet.disband();
    Ok(all)
}

/// One message to one user's 500 devices.
pub fn devices(fleet: &mut Fleet, scale: &Scale) -> Result<Case> {
    fleet.muster("devices", |_| true)?;
    fleet.gather(&[everyone(500)], true);
    let case = fleet.alternate(scale.rounds, &bursts(1, scale.millis));
    fleet.disband();
    Ok(case)
}

/// Random pushes to users with three devices each, sixteen under way.
pub fn users(fleet: &mut Fleet, scale: &Scale) -> Result<Case> {
    fleet.muster("users", |name| name != "floor")?;
    let crowd = Order::Grow {
        total: 3 * scale.users as usize,
        devices: 3,
        first_user: 0,
    };
    fleet.gather(&[crowd], true);
    let publish = Publishing {
        users: (0, scale.users),
        frame_bytes: FRAME,
        pace: Pace::Window(16),
    };
    let case = fleet.alternate(
        scale.rounds,
        &Plan {
            millis: scale.millis,
            publish: Some(publish),
            ping: None,
        },
    );
    fleet.disband();
    Ok(case)
}

/// Round trips of 32 others, in quiet and while one room is flooded ten times a second; and of 32 who have another,
/// idle server of ours, while the first one's room is flooded: what the machine itself does to them.
pub fn flood(fleet: &mut Fleet, scale: &Scale) -> Result<(Case, Case)> {
    fleet.muster("flood", |name| name != "floor")?;
    fleet.enlist(ELSEWHERE, "heartline")?;
    fleet.gather(&[], false);
    for name in fleet.present() {
        let order = if name == ELSEWHERE {
            Order::BystandersElsewhere(BYSTANDERS)
        } else {
            Order::Bystanders(BYSTANDERS)
        };
        fleet.tell(&name, &order);
    }
    fleet.tell_all(&everyone(scale.room));
    fleet.tell_all(&Order::Publisher);
    let ping = Pinging {
        connections: (0, BYSTANDERS),
        every_micros: Some(20_000),
    };
    let publish = Publishing {
        users: (0, 1),
        frame_bytes: FRAME,
        pace: Pace::EveryMicros(100_000),
    };
    let (millis, rounds) = scale.long;
    let quiet = fleet.alternate(
        rounds,
        &Plan {
            millis,
            publish: None,
            ping: Some(ping.clone()),
        },
    );
    let flooded = fleet.alternate(
        rounds,
        &Plan {
            millis,
            publish: Some(publish),
            ping: Some(ping),
        },
    );
    fleet.disband();
    Ok((quiet, flooded))
}

/// Round trips of others and the arrival of messages, before and after 1% of the room stops reading.
pub fn frozen(fleet: &mut Fleet, scale: &Scale) -> Result<(Case, Case)> {
    fleet.muster("frozen", |name| name != "floor")?;
    fleet.gather(&bystanders_and_room(scale.readers), true);
    let ping = Pinging {
        connections: (0, BYSTANDERS),
        every_micros: Some(20_000),
    };
    let publish = Publishing {
        users: (0, 1),
        frame_bytes: LARGE_FRAME,
        pace: Pace::EveryMicros(40_000),
    };
    let plan = Plan {
        millis: scale.long.0,
        publish: Some(publish),
        ping: Some(ping),
    };
    let rounds = scale.long.1;
    let before = fleet.alternate(rounds, &plan);
    fleet.tell_all(&Order::Freeze(0, scale.readers / 100));
    let after = fleet.alternate(rounds, &plan);
    fleet.disband();
    Ok((before, after))
}

fn bystanders_and_room(room: usize) -> [Order; 2] {
    [Order::Bystanders(BYSTANDERS), everyone(room)]
}

/// Bytes of a frame, header included: what a typical push of the classic protocol has.
pub const FRAME: usize = 184;
/// Large enough that the socket of one who does not read is full in seconds.
pub const LARGE_FRAME: usize = 8_192;
/// What the second server's bystanders are called in the results.
pub const ELSEWHERE: &str = "heartline, pings to a second server";
const BASE: usize = 100;
const ENOUGH: Duration = Duration::from_secs(5);
const BYSTANDERS: usize = 32;
