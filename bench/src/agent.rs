//! One process per peer: it starts the server, holds the crowd, and does what it is told, one JSON line per order and one
//! per answer. So each peer's load generator has its own 20,000 files, and all peers can be up at once.

use std::io::{BufRead, Write};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::crowd::Crowd;
use crate::peer::{Tools, by_name};
use crate::process::{Measured, kernel_bytes, own_cpu};
use crate::slice::{Plan, Runner, Slice};

/// What an agent is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Order {
    /// Start the server afresh, with nobody connected.
    Start,
    /// Connect and log in until there are `total`; a user has `devices` connections (0: one user has all).
    Grow {
        /// Connections.
        total: usize,
        /// Per user.
        devices: u32,
        /// Whose the first is.
        first_user: u32,
    },
    /// Connect so many others, who ping from a thread of their own from then on.
    Bystanders(usize),
    /// The same, but to another server of the same kind, started for them alone.
    BystandersElsewhere(usize),
    /// Connect whoever publishes.
    Publisher,
    /// Wait, then read the memory.
    Memory {
        /// So long.
        settle_millis: u64,
    },
    /// Run a slice.
    Run(Plan),
    /// These connections read nothing from now on.
    Freeze(usize, usize),
    /// End the server.
    Stop,
}

/// What an agent answers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// Done.
    Done,
    /// Connections were made.
    Grown(Growth),
    /// Memory of the server, and what the kernel has taken for itself, in bytes.
    Memory(u64, u64),
    /// A slice was run.
    Ran(Box<Slice>),
    /// It did not work.
    Failed(String),
}

/// What connecting took.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Growth {
    /// Connections made and logged in.
    pub count: usize,
    /// In all.
    pub seconds: f64,
    /// CPU of the server.
    pub server_ns: u64,
    /// User space and kernel.
    pub server_ticks: (u64, u64),
    /// CPU of this load generator.
    pub own_ns: u64,
    /// Dial to logged in, in microseconds, with 64 under way.
    pub p50: u32,
    /// The same.
    pub p99: u32,
}

/// Reads orders until there are no more.
pub fn run(peer: &str, port: u16, tools: Tools) -> Result<()> {
    let mut agent = Agent {
        peer: peer.to_owned(),
        port,
        tools,
        state: None,
    };
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let order: Order = serde_json::from_str(&line?)?;
        let answer = agent
            .obey(order)
            .unwrap_or_else(|error| Answer::Failed(format!("{error:#}")));
        writeln!(out, "{}", serde_json::to_string(&answer)?)?;
        out.flush()?;
    }
    Ok(())
}

struct Agent {
    peer: String,
    port: u16,
    tools: Tools,
    state: Option<State>,
}

struct State {
    // Dropped first: the clients go before their server.
    crowd: Crowd,
    bystanders: Option<Crowd>,
    server: Measured,
    elsewhere: Option<Measured>,
    runner: Runner,
}

impl Agent {
    fn obey(&mut self, order: Order) -> Result<Answer> {
        if let Order::Start = order {
            self.state = None;
            let peer = by_name(&self.peer)?;
            let command = peer.command(&self.tools, self.port)?;
            let log = self.tools.scratch.join(format!("{}.log", self.peer));
            let server = Measured::start(command, self.port, &log)?;
            let crowd = Crowd::new(peer, self.port)?;
            self.state = Some(State {
                crowd,
                bystanders: None,
                server,
                elsewhere: None,
                runner: Runner::default(),
            });
            return Ok(Answer::Done);
        }
        if let Order::Stop = order {
            self.state = None;
            return Ok(Answer::Done);
        }
        let State {
            crowd,
            bystanders,
            server,
            elsewhere,
            runner,
        } = self.state.as_mut().context("it has not been started")?;
        Ok(match order {
            Order::Start | Order::Stop => bail!("unreachable: handled above"),
            Order::Grow {
                total,
                devices,
                first_user,
            } => Answer::Grown(grow(crowd, server, total, devices, first_user)?),
            Order::Bystanders(count) => {
                *bystanders = Some(others(&self.peer, self.port, count)?);
                Answer::Done
            }
            Order::BystandersElsewhere(count) => {
                let port = self.port + ELSEWHERE;
                let command = by_name(&self.peer)?.command(&self.tools, port)?;
                let log = self.tools.scratch.join(format!("{}-2.log", self.peer));
                *elsewhere = Some(Measured::start(command, port, &log)?);
                *bystanders = Some(others(&self.peer, port, count)?);
                Answer::Done
            }
            Order::Publisher => {
                crowd.connect_publisher()?;
                Answer::Done
            }
            Order::Memory { settle_millis } => {
                let until = Instant::now() + Duration::from_millis(settle_millis);
                while Instant::now() < until {
                    crowd.turn(Duration::from_millis(50), |_, _, _, _| {}, |_| {})?;
                }
                Answer::Memory(server.resident()?, kernel_bytes())
            }
            Order::Run(plan) => Answer::Ran(Box::new(runner.run(
                crowd,
                bystanders.as_mut(),
                server,
                &plan,
            )?)),
            Order::Freeze(from, to) => {
                crowd.freeze(from, to)?;
                Answer::Done
            }
        })
    }
}

/// Users of their own, to whom nobody publishes.
fn others(peer: &str, port: u16, count: usize) -> Result<Crowd> {
    let mut others = Crowd::new(by_name(peer)?, port)?;
    others.grow(count, |at| 1_000_000 + at as u32)?;
    Ok(others)
}

fn grow(
    crowd: &mut Crowd,
    server: &Measured,
    total: usize,
    devices: u32,
    first_user: u32,
) -> Result<Growth> {
    let before = crowd.connections.len();
    let (server_before, own_before) = (server.cpu(), own_cpu());
    let began = Instant::now();
    let base = before as u32;
    let mut took = crowd.grow(total, |at| {
        let nth = at as u32 - base;
        first_user + nth.checked_div(devices).unwrap_or(0)
    })?;
    let used = server.cpu().since(server_before);
    took.sort_unstable();
    let at = |part: usize| took.get(took.len() * part / 100).copied().unwrap_or(0);
    Ok(Growth {
        count: total - before,
        seconds: began.elapsed().as_secs_f64(),
        server_ns: used.total_ns,
        server_ticks: (used.user_ticks, used.system_ticks),
        own_ns: own_cpu().since(own_before).total_ns,
        p50: at(50),
        p99: at(99),
    })
}

/// A peer has the ports from its own on; some use the next one, too.
const ELSEWHERE: u16 = 2;
