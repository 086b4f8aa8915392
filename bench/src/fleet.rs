//! All agents of a run, and talking to them. A peer that fails is left out from then on, and its reason is kept.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::agent::{Answer, Growth, Order};
use crate::peer::Tools;
use crate::slice::{Plan, Slice};

/// The agents.
pub struct Fleet {
    tools: Tools,
    names: Vec<String>,
    agents: Vec<Agent>,
    /// Scenario, peer, why it is missing there.
    pub failures: Vec<(String, String, String)>,
    scenario: String,
}

struct Agent {
    name: String,
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Slices of one case: per peer, in the order of the tables.
pub type Case = Vec<(String, Vec<Slice>)>;

impl Fleet {
    /// A fleet of these peers.
    pub fn new(tools: Tools, names: Vec<String>) -> Self {
        Self {
            tools,
            names,
            agents: Vec::new(),
            failures: Vec::new(),
            scenario: String::new(),
        }
    }

    /// Begins a scenario with those of its peers that `wanted` names; each has its own process and port.
    pub fn muster(&mut self, scenario: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
        self.disband();
        self.scenario = scenario.to_owned();
        for (at, name) in self
            .names
            .iter()
            .enumerate()
            .filter(|(_, name)| wanted(name))
        {
            // Below the ports that the kernel gives to clients; two for each.
            let port = 21_000 + 10 * at as u16;
            self.agents
                .push(Agent::start(name, name, port, &self.tools)?);
        }
        Ok(())
    }

    /// Adds one more of a peer to the scenario, under a name of its own.
    pub fn enlist(&mut self, name: &str, peer: &str) -> Result<()> {
        let port = 21_000 + 10 * (self.names.len() + self.agents.len()) as u16;
        self.agents
            .push(Agent::start(name, peer, port, &self.tools)?);
        Ok(())
    }

    /// Ends all agents and their servers.
    pub fn disband(&mut self) {
        for agent in self.agents.drain(..) {
            agent.end();
        }
    }

    /// Who takes part, in order.
    pub fn present(&self) -> Vec<String> {
        self.agents.iter().map(|agent| agent.name.clone()).collect()
    }

    /// One order to one peer. None: it has failed, now or before.
    pub fn tell(&mut self, name: &str, order: &Order) -> Option<Answer> {
        let at = self.agents.iter().position(|agent| agent.name == name)?;
        let answer = self.agents[at].ask(order);
        let reason = match answer {
            Ok(Answer::Failed(reason)) => reason,
            Ok(answer) => return Some(answer),
            Err(error) => format!("{error:#}"),
        };
        println!("   {name} is left out of {}: {reason}", self.scenario);
        self.failures
            .push((self.scenario.clone(), name.to_owned(), reason));
        self.agents.remove(at).end();
        None
    }

    /// One order to all, one after another.
    pub fn tell_all(&mut self, order: &Order) {
        for name in self.present() {
            self.tell(&name, order);
        }
    }

    /// Starts a server afresh and connects, for all; then connects the publishers.
    pub fn gather(&mut self, crowds: &[Order], publish: bool) {
        self.tell_all(&Order::Start);
        for crowd in crowds {
            self.tell_all(crowd);
        }
        if publish {
            self.tell_all(&Order::Publisher);
        }
    }

    /// Runs the same slice by all peers in turn, for so many rounds. Each round begins with another peer. The first round
    /// warms up and is not kept.
    pub fn alternate(&mut self, rounds: usize, plan: &Plan) -> Case {
        let names = self.present();
        let mut case: Case = names
            .iter()
            .map(|name| (name.clone(), Vec::new()))
            .collect();
        for round in 0..=rounds {
            for at in 0..names.len() {
                let at = (at + round) % names.len();
                if let Some(Answer::Ran(slice)) = self.tell(&names[at], &Order::Run(plan.clone()))
                    && round > 0
                {
                    case[at].1.push(*slice);
                }
            }
        }
        case.retain(|(_, slices)| slices.len() == rounds);
        case
    }

    /// Runs one slice by each peer.
    pub fn once(&mut self, plan: &Plan) -> Case {
        let mut case = Case::new();
        for name in self.present() {
            if let Some(Answer::Ran(slice)) = self.tell(&name, &Order::Run(plan.clone())) {
                case.push((name, vec![*slice]));
            }
        }
        case
    }

    /// Makes a crowd larger.
    pub fn grow(
        &mut self,
        name: &str,
        total: usize,
        devices: u32,
        first_user: u32,
    ) -> Option<Growth> {
        match self.tell(
            name,
            &Order::Grow {
                total,
                devices,
                first_user,
            },
        )? {
            Answer::Grown(growth) => Some(growth),
            _ => None,
        }
    }

    /// The server's memory and the kernel's.
    pub fn memory(&mut self, name: &str, settle_millis: u64) -> Option<(u64, u64)> {
        match self.tell(name, &Order::Memory { settle_millis })? {
            Answer::Memory(user, kernel) => Some((user, kernel)),
            _ => None,
        }
    }
}

impl Agent {
    fn start(name: &str, peer: &str, port: u16, tools: &Tools) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        if let Some(before) = &tools.before {
            command.arg("agent").arg("--before").arg(before);
        } else {
            command.arg("agent");
        }
        let mut child = command
            .args(["--peer", peer, "--port", &port.to_string()])
            .arg("--server")
            .arg(&tools.server)
            .arg("--peers")
            .arg(&tools.peers)
            .arg("--python")
            .arg(&tools.python)
            .arg("--sockudo")
            .arg(&tools.sockudo)
            .arg("--scratch")
            .arg(&tools.scratch)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start an agent")?;
        let orders = child.stdin.take().context("an agent without input")?;
        let answers = BufReader::new(child.stdout.take().context("an agent without output")?);
        Ok(Self {
            name: name.to_owned(),
            child,
            orders,
            answers,
        })
    }

    fn ask(&mut self, order: &Order) -> Result<Answer> {
        writeln!(self.orders, "{}", serde_json::to_string(order)?)?;
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            bail!("its load generator ended");
        }
        Ok(serde_json::from_str(&line)?)
    }

    /// Without input it ends, and its server with it.
    fn end(mut self) {
        drop(self.orders);
        let _ = self.child.wait();
    }
}
