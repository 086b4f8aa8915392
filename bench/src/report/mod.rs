//! What was measured, as tables in `RESULTS.md` and as plots. Each scenario has a section between marks of its own, so
//! that a run of one leaves the others, and the sections of other chores, as they are.

mod conditions;
mod durable;
mod figures;
mod sections;
mod svg;

pub use conditions::Conditions;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::peer::{Tools, version};

/// The results as they grow.
pub struct Report {
    out: PathBuf,
    quick: bool,
    versions: Vec<(String, String)>,
    missing: Vec<(String, String)>,
    /// The section that is being written.
    text: String,
}

impl Report {
    /// Of a run with these peers.
    pub fn new(
        out: PathBuf,
        quick: bool,
        names: &[String],
        missing: &[(String, String)],
        tools: &Tools,
    ) -> Self {
        let versions = names
            .iter()
            .map(|name| (name.clone(), version(name, tools)))
            .collect();
        Self {
            out,
            quick,
            versions,
            missing: missing.to_vec(),
            text: String::new(),
        }
    }

    /// The section on what was measured, where, and with what.
    pub fn machine(&mut self) -> Result<()> {
        self.text = format!(
            "## The machine, the peers, the method\n\n{}\n",
            conditions::machine()
        );
        self.line("| peer | version |\n|---|---|");
        for (name, version) in self.versions.clone() {
            self.line(&format!("| {name} | {version} |"));
        }
        for (name, why) in self.missing.clone() {
            self.line(&format!(
                "| {name} | **not measured**: {} |",
                why.replace('|', "/")
            ));
        }
        self.line(&format!("\n{METHOD}"));
        self.store("machine")
    }

    /// Puts the section's text into the results.
    pub fn write(
        &mut self,
        name: &str,
        conditions: &Conditions,
        failures: &[(String, String, String)],
    ) -> Result<()> {
        for (scenario, peer, why) in failures {
            self.line(&format!(
                "\n**{peer} is missing** in {scenario}: {}.",
                why.replace('\n', " ")
            ));
        }
        self.line(&format!("\n{}", conditions.told(self.quick)));
        self.store(name)
    }

    fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }

    fn plot(&self, name: &str, svg: &str) {
        let folder = self.out.join("plots");
        let written = fs::create_dir_all(&folder)
            .and_then(|()| fs::write(folder.join(format!("{name}.svg")), svg));
        if let Err(error) = written {
            println!("   the plot {name} could not be written: {error}");
        }
    }

    fn store(&mut self, name: &str) -> Result<()> {
        let file = self.out.join("RESULTS.md");
        let old = fs::read_to_string(&file).unwrap_or_else(|_| TITLE.into());
        let (begin, end) = (
            format!("<!-- bench-{name} -->"),
            format!("<!-- /bench-{name} -->"),
        );
        let section = format!("{begin}\n{}{end}", std::mem::take(&mut self.text));
        println!("\n{section}");
        let new = match (old.find(&begin), old.find(&end)) {
            (Some(from), Some(to)) => {
                format!("{}{section}{}", &old[..from], &old[to + end.len()..])
            }
            _ => format!("{}\n\n{section}\n", old.trim_end()),
        };
        fs::write(&file, new).with_context(|| format!("writing {}", file.display()))
    }
}

const TITLE: &str = "# Results\n\nMeasured by `cargo xtask bench` and `cargo xtask size`.\n";
const METHOD: &str = "\
Every peer runs as one process (`heartline` with one shard per core, as shipped, and also with one shard), with its own load generator \
process on the same machine over loopback: raw non-blocking reads, frames counted by their headers. All peers are up at once and are \
measured in turn, slice by slice; the first round warms up and is dropped; tables give the median of the rounds and, in brackets, the \
least and the greatest. CPU is what the kernel's scheduler counted for the server's processes (`schedstat`); the part in user space is \
split off by clock ticks, of a slice of some seconds in the fan-out, and so is coarse where it is small. Ratios are taken round by round to the bare `send` loop (`floor`), \
which is a process of its own and sends the same 184 bytes to as many sockets. Fan-out and rooms are one user's N \
connections with us, and a room, topic or channel elsewhere: a classic push to N users carries all their names in every frame. Logged-in means: upgrade, classic token login (or \
subscription, for brokers) and its answer. Peers' own pings are set so rare that none falls into a slice.";
