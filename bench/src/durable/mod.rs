//! Durable delivery, measured on our own server alone: what storing costs a push, how fast what was missed comes back, what others notice
//! of it, what an idle stream costs. No peer stores before it answers, so there is nobody to be compared with; the comparison is with
//! pushes that are not stored.

mod text;
mod yard;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::peer::{KEY, Tools};
use crate::priority;
use crate::process::{Cpu, Measured};
use yard::{News, Yard};

/// How much is done.
pub struct Amount {
    /// Requests under way in the first part.
    pub under_way: Vec<usize>,
    /// Rounds, and the length of one slice.
    pub rounds: usize,
    /// See `rounds`.
    pub slice: Duration,
    /// Messages that one device has missed.
    pub missed_by_one: u32,
    /// Devices that come back at once, and what each has missed.
    pub resuming: (u32, u32),
    /// Idle connections, and idle streams.
    pub idle: (u32, u32),
}

impl Amount {
    /// What the goals speak of.
    pub fn full() -> Self {
        Self {
            under_way: vec![1, 16, 64, 256],
            rounds: 5,
            slice: Duration::from_millis(1_500),
            missed_by_one: 10_000,
            resuming: (5_000, 100),
            idle: (5_000, 100_000),
        }
    }

    /// The same asked small.
    pub fn quick() -> Self {
        Self {
            under_way: vec![1, 64],
            rounds: 3,
            slice: Duration::from_millis(500),
            missed_by_one: 2_000,
            resuming: (500, 50),
            idle: (1_000, 10_000),
        }
    }
}

/// How a push is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Not at all.
    Transient,
    /// As `store.durability = "process"` has it.
    Process,
    /// As `power` has it.
    Power,
}

/// All three, in the order of the table.
pub const KEPT: [Kept; 3] = [Kept::Transient, Kept::Process, Kept::Power];

/// One slice of publishing.
#[derive(Clone, Copy, Debug)]
pub struct Published {
    /// Answers per second.
    pub per_second: f64,
    /// Microseconds from request to answer: the middle and the 99th of a hundred.
    pub p50: f64,
    /// See `p50`.
    pub p99: f64,
    /// Microseconds of the server's CPU per push.
    pub cpu: f64,
}

/// What was measured.
#[derive(Default)]
pub struct Durable {
    /// Requests under way, and for each kind of [`KEPT`] its slices.
    pub published: Vec<(usize, Vec<Vec<Published>>)>,
    /// Messages, and the seconds that each round took.
    pub replayed: (u32, Vec<f64>),
    /// Rounds of the coming back of many.
    pub resumed: Vec<Resumed>,
    /// Devices and messages of it.
    pub resuming: (u32, u32),
    /// Bytes of memory per idle connection: classic, reliable.
    pub connection: (f64, f64),
    /// Bytes per idle stream with one message: memory, disk; and how many streams.
    pub stream: (f64, f64, u32),
}

/// Many came back at once.
#[derive(Clone, Copy, Debug)]
pub struct Resumed {
    /// Seconds until all had logged in, and until all had all.
    pub logged_in: f64,
    /// See `logged_in`.
    pub done: f64,
    /// Microseconds, 99th of a hundred, of pushes to others: before it, beside as many plain logins, and during it.
    pub before: f64,
    /// See `before`.
    pub beside_logins: f64,
    /// See `before`.
    pub during: f64,
}

/// Measures all of it.
pub fn measure(tools: &Tools, amount: &Amount) -> Result<Durable> {
    let mut all = Durable {
        resuming: amount.resuming,
        ..Durable::default()
    };
    publish(tools, amount, &mut all)?;
    replay(tools, amount, &mut all)?;
    resume(tools, amount, &mut all)?;
    idle(tools, amount, &mut all)?;
    Ok(all)
}

/// Devices that are there while others publish.
const AUDIENCE: u32 = 64;

fn publish(tools: &Tools, amount: &Amount, all: &mut Durable) -> Result<()> {
    let mut sites = Vec::new();
    for (at, kept) in KEPT.into_iter().enumerate() {
        let durability = if kept == Kept::Power {
            "power"
        } else {
            "process"
        };
        let site = Site::start(tools, at as u16, durability)?;
        let mut yard = Yard::new(site.port)?;
        yard.admit(0..AUDIENCE, true)?;
        yard.hire(amount.under_way.iter().copied().max().unwrap_or(1))?;
        sites.push((kept, site, yard));
    }
    for &under_way in &amount.under_way {
        let mut slices = vec![Vec::new(); KEPT.len()];
        // The first round warms up.
        for round in 0..=amount.rounds {
            for (at, (kept, site, yard)) in sites.iter_mut().enumerate() {
                let slice = slice(yard, site, *kept, under_way, amount.slice)?;
                if round > 0 {
                    slices[at].push(slice);
                }
            }
        }
        println!("   durable: {under_way} under way: done");
        all.published.push((under_way, slices));
    }
    Ok(())
}

fn slice(
    yard: &mut Yard,
    site: &Site,
    kept: Kept,
    under_way: usize,
    length: Duration,
) -> Result<Published> {
    let mut sent = 0_u32;
    let mut post = |yard: &mut Yard, publisher: usize| {
        sent = sent.wrapping_add(1);
        let (user, transient) = (sent % AUDIENCE, kept == Kept::Transient);
        let flag = if transient {
            r#","transient":true"#
        } else {
            ""
        };
        yard.post(
            publisher,
            &format!(r#"{{"to":"user:{user}","event":"chat1","msg":{sent}{flag}}}"#),
        )
    };
    let before = site.measured.cpu();
    let began = Instant::now();
    for publisher in 0..under_way {
        post(yard, publisher)?;
    }
    let mut took = Vec::new();
    let mut open = under_way;
    while open > 0 {
        let mut answered = Vec::new();
        let mut refused = None;
        yard.turn(Duration::from_millis(100), |news| {
            if let News::Answer {
                publisher,
                took: this,
                status,
            } = news
            {
                answered.push(publisher);
                took.push(this.as_secs_f64() * 1e6);
                refused = refused.or((status != 200).then_some(status));
            }
        })?;
        ensure!(refused.is_none(), "a push was answered with {refused:?}");
        ensure!(
            began.elapsed() < length + Duration::from_secs(30),
            "the answers stopped"
        );
        for publisher in answered {
            if began.elapsed() < length {
                post(yard, publisher)?;
            } else {
                open -= 1;
            }
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let Cpu { total_ns, .. } = site.measured.cpu().since(before);
    Ok(Published {
        per_second: took.len() as f64 / seconds,
        cpu: total_ns as f64 / 1e3 / took.len() as f64,
        p50: quantile(&mut took, 0.5),
        p99: quantile(&mut took, 0.99),
    })
}

fn replay(tools: &Tools, amount: &Amount, all: &mut Durable) -> Result<()> {
    let site = Site::start(tools, 0, "process")?;
    let count = amount.missed_by_one;
    all.replayed.0 = count;
    for round in 0..=amount.rounds {
        // Each round another user: what one has acknowledged would not come again.
        let user = round as u32;
        Yard::new(site.port)?.admit([user], true)?;
        store(&site, &[user], count)?;
        let mut yard = Yard::new(site.port)?;
        let began = Instant::now();
        yard.dial([user], true, count)?;
        yard.until(
            "what was missed",
            Duration::from_secs(60),
            Yard::all_have_all,
        )?;
        if round > 0 {
            all.replayed.1.push(began.elapsed().as_secs_f64());
        }
    }
    println!("   durable: replay to one: done");
    Ok(())
}

/// Users whose pushes go on beside the coming back of the others.
const LIVE: u32 = 50;
/// One push each so often.
const LIVE_EVERY: Duration = Duration::from_millis(4);

fn resume(tools: &Tools, amount: &Amount, all: &mut Durable) -> Result<()> {
    let site = Site::start(tools, 0, "process")?;
    // In a thread of its own, so that no server of a later part inherits its priority.
    let rounds = std::thread::scope(|scope| {
        let rounds = scope.spawn(|| resume_rounds(&site, amount));
        rounds.join().expect("the publisher's thread")
    });
    all.resumed = rounds?;
    println!("   durable: many at once: done");
    Ok(())
}

fn resume_rounds(site: &Site, amount: &Amount) -> Result<Vec<Resumed>> {
    priority::come_first();
    let (devices, missed) = amount.resuming;
    let mut live = Yard::new(site.port)?;
    live.admit(0..LIVE, true)?;
    live.hire(8)?;
    let mut rounds = Vec::new();
    // The first round warms up.
    for round in 0..=amount.rounds.min(3) as u32 {
        let first = LIVE + round * devices;
        let users: Vec<u32> = (first..first + devices).collect();
        Yard::new(site.port)?.admit(users.iter().copied(), true)?;
        for some in users.chunks(1_000) {
            store(site, some, missed)?;
        }
        let calm = Instant::now() + Duration::from_secs(3);
        let before = traffic(&mut live, || Ok(Instant::now() < calm))?;
        // As many logins that bring nothing: what the logins themselves cost the others.
        let plain = arrive(site.port, first + 1_000_000..first + 1_000_000 + devices, 0);
        let beside_logins = traffic(&mut live, || Ok(!plain.is_finished()))?;
        plain.join().expect("the devices' thread")?;
        let coming = arrive(site.port, first..first + devices, missed);
        let during = traffic(&mut live, || Ok(!coming.is_finished()))?;
        let (logged_in, done) = coming.join().expect("the devices' thread")?;
        if round > 0 {
            rounds.push(Resumed {
                logged_in,
                done,
                before,
                beside_logins,
                during,
            });
        }
    }
    Ok(rounds)
}

/// In a thread of its own: all dial at once, and stay until each has what it expects. Seconds until logged in, until done.
fn arrive(
    port: u16,
    users: std::ops::Range<u32>,
    expects: u32,
) -> std::thread::JoinHandle<Result<(f64, f64)>> {
    std::thread::spawn(move || {
        // Real devices have processors of their own.
        priority::give_way();
        let mut yard = Yard::new(port)?;
        let count = users.len();
        let began = Instant::now();
        yard.dial(users, true, expects)?;
        yard.until("the logins", Duration::from_secs(120), |yard| {
            yard.ready() == count
        })?;
        let logged_in = began.elapsed().as_secs_f64();
        yard.until(
            "what was missed",
            Duration::from_secs(120),
            Yard::all_have_all,
        )?;
        Ok((logged_in, began.elapsed().as_secs_f64()))
    })
}

/// Steady pushes to those who are there, for as long as it goes on: the 99th of a hundred, from the request to the device, in microseconds.
fn traffic(live: &mut Yard, mut goes_on: impl FnMut() -> Result<bool>) -> Result<f64> {
    let origin = Instant::now();
    let mut next = origin;
    let mut free: Vec<usize> = (0..8).collect();
    let mut took = Vec::new();
    let (mut sent, mut arrived) = (0_u32, 0_u32);
    let mut last = None;
    while arrived < sent || last.is_none() {
        if last.is_none() && !goes_on()? {
            last = Some(Instant::now());
        }
        while last.is_none() && Instant::now() >= next {
            let Some(publisher) = free.pop() else { break };
            next += LIVE_EVERY;
            sent += 1;
            let (user, stamp) = (sent % LIVE, origin.elapsed().as_micros());
            live.post(
                publisher,
                &format!(r#"{{"to":"user:{user}","event":"chat1","msg":{stamp}}}"#),
            )?;
        }
        let now = Instant::now();
        live.turn(
            next.saturating_duration_since(now)
                .min(Duration::from_millis(5)),
            |news| match news {
                News::Answer { publisher, .. } => free.push(publisher),
                News::Push { number, .. } => {
                    arrived += 1;
                    let micros = origin.elapsed().as_micros() as u64;
                    took.push(micros.saturating_sub(number) as f64);
                }
            },
        )?;
        let patience = Duration::from_secs(30);
        ensure!(
            last.is_none_or(|last| last.elapsed() < patience),
            "pushes to others did not arrive"
        );
    }
    Ok(quantile(&mut took, 0.99))
}

fn idle(tools: &Tools, amount: &Amount, all: &mut Durable) -> Result<()> {
    let (connections, streams) = amount.idle;
    let mut of = [0.0; 2];
    for (at, is_reliable) in [false, true].into_iter().enumerate() {
        let site = Site::start(tools, 0, "process")?;
        let mut yard = Yard::new(site.port)?;
        yard.admit(0..100, is_reliable)?;
        let empty = settled(&site)?;
        yard.admit(100..100 + connections, is_reliable)?;
        of[at] = (settled(&site)? as f64 - empty as f64) / f64::from(connections);
    }
    all.connection = (of[0], of[1]);
    let site = Site::start(tools, 0, "process")?;
    store(&site, &(0..1_000).collect::<Vec<_>>(), 1)?;
    let (memory, disk) = (settled(&site)?, site.disk()?);
    for first in (1_000..1_000 + streams).step_by(1_000) {
        store(&site, &(first..first + 1_000).collect::<Vec<_>>(), 1)?;
    }
    let per = |after: u64, before: u64| (after as f64 - before as f64) / f64::from(streams);
    all.stream = (
        per(settled(&site)?, memory),
        per(site.disk()?, disk),
        streams,
    );
    println!("   durable: idle: done");
    Ok(())
}

/// Memory once it stands still.
fn settled(site: &Site) -> Result<u64> {
    std::thread::sleep(Duration::from_secs(1));
    site.measured.resident()
}

/// Stores so many pushes for each of these users.
fn store(site: &Site, users: &[u32], each: u32) -> Result<()> {
    let mut yard = Yard::new(site.port)?;
    let publishers = 16.min(each as usize);
    yard.hire(publishers)?;
    let names: Vec<String> = users
        .iter()
        .map(|user| format!("\"user:{user}\""))
        .collect();
    let to = names.join(",");
    let (mut sent, mut answered) = (0, 0);
    let mut free: Vec<usize> = (0..publishers).collect();
    while answered < each {
        while sent < each
            && let Some(publisher) = free.pop()
        {
            sent += 1;
            yard.post(
                publisher,
                &format!(r#"{{"to":[{to}],"event":"chat1","msg":{sent}}}"#),
            )?;
        }
        let mut refused = None;
        yard.turn(Duration::from_millis(100), |news| {
            if let News::Answer {
                publisher, status, ..
            } = news
            {
                answered += 1;
                free.push(publisher);
                refused = refused.or((status != 200).then_some(status));
            }
        })?;
        ensure!(refused.is_none(), "a push was answered with {refused:?}");
    }
    Ok(())
}

/// A server on a folder of its own.
struct Site {
    measured: Measured,
    port: u16,
    folder: PathBuf,
}

impl Site {
    fn start(tools: &Tools, at: u16, durability: &str) -> Result<Self> {
        let port = FIRST_PORT + at;
        let folder = tools.scratch.join(format!("durable-{at}"));
        // What a run before left there.
        let _ = fs::remove_dir_all(&folder);
        let mut command = Command::new(&tools.server);
        command
            .env("HEARTLINE_PUSH_ALLOW_LOOPBACK", "true")
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--role-key", &format!("user={KEY}"), "--log", "warn"])
            .args(["--max-connections-per-address", "0"])
            .args([
                "--ping-interval-ms",
                "3600000",
                "--idle-timeout-ms",
                "36000000",
            ])
            .args(["--store-durability", durability])
            .arg("--store-path")
            .arg(&folder);
        let log = tools.scratch.join(format!("durable-{at}.log"));
        Ok(Self {
            measured: Measured::start(command, port, &log)?,
            port,
            folder,
        })
    }

    /// Bytes on the disk.
    fn disk(&self) -> Result<u64> {
        let mut bytes = 0;
        for entry in fs::read_dir(&self.folder)? {
            bytes += entry?.metadata()?.len();
        }
        Ok(bytes)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

const FIRST_PORT: u16 = 28_400;

/// The value below which this part of them lies.
fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = (values.len().saturating_sub(1) as f64 * part).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}
