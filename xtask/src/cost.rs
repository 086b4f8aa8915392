//! What the shipped client costs a page: per pushed message, and from import to login, beside a plain hand-written client.
//! The first is held to a budget; both are written to `bench/RESULTS.md`.
//!
//! The measuring itself is JavaScript's (`js-shim/test/core/message-cost.mjs` and `start-cost.mjs`): here are the budgets, the
//! patience with a busy machine, and the table.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::npm;
use crate::results::{load_average, store};
use crate::run::{program, say};

/// One way in which the client runs, and how much dearer than plain JavaScript a message may be there.
struct Way {
    name: &'static str,
    engine: &'static str,
    flags: &'static [&'static str],
    budget: f64,
}

const WAYS: [Way; 3] = [
    Way {
        name: "wasm",
        engine: "wasm",
        flags: &[],
        budget: 1.10,
    },
    Way {
        name: "wasm2js",
        engine: "js",
        flags: &[],
        budget: 1.20,
    },
    Way {
        name: "wasm2js without JIT (`node --jitless`)",
        engine: "js",
        flags: &["--jitless"],
        budget: 1.50,
    },
];

/// A machine that does other work meanwhile may spoil a measurement, though hardly so many in a row.
const TRIES: usize = 4;

/// Fails when a message costs more than its budget in each of [`TRIES`] measurements.
pub fn check() -> Result<()> {
    npm::run()?;
    let mut over = Vec::new();
    for way in &WAYS {
        let mut cost = Cost::measure(way)?;
        for _ in 1..TRIES {
            if cost.ratio <= way.budget {
                break;
            }
            println!(
                "   {}: {:.2} × plain JavaScript is above {:.2}; the machine may be busy (load average {}), again",
                way.name,
                cost.ratio,
                way.budget,
                load_average()
            );
            cost = Cost::measure(way)?;
        }
        println!(
            "   {}: {:.2} × plain JavaScript ({:.2}–{:.2}), budget {:.2}",
            way.name, cost.ratio, cost.least, cost.most, way.budget
        );
        if cost.ratio > way.budget {
            over.push(way.name);
        }
    }
    if !over.is_empty() {
        bail!(
            "a message costs more than its budget in {TRIES} measurements out of {TRIES}: {}",
            over.join(", ")
        );
    }
    Ok(())
}

/// Measures both costs and writes their section.
pub fn record(quick: bool) -> Result<()> {
    npm::run()?;
    say("client: the cost of a message and of the start, beside a plain hand-written client");
    let load = load_average();
    let mut bytes = 0;
    let mut messages = String::new();
    for way in &WAYS {
        let cost = Cost::measure(way)?;
        bytes = cost.bytes;
        messages += &format!(
            "| {} | {:.0} | {:.0} | {:.2} ({:.2}–{:.2}) | {:.2} |\n",
            way.name, cost.plain_ns, cost.ours_ns, cost.ratio, cost.least, cost.most, way.budget
        );
    }
    let mut starts = String::new();
    for line in lines(node(&[], "start-cost.mjs").arg(if quick { "7" } else { "31" }))? {
        let name = match line["engine"].as_str() {
            Some("plain") => "plain hand-written client",
            Some("wasm") => "heartline, wasm",
            _ => "heartline, wasm2js",
        };
        let [ms, least, most] = ["ms", "least", "most"].map(|key| number(&line, key));
        starts += &format!("| {name} | {:.1} ({:.1}–{:.1}) |\n", ms?, least?, most?);
    }
    store(
        "bench-client",
        &format!(
            "## What the client costs a page\n\nA push of {bytes} bytes, from the socket's event to the page's callback, in the \
             shipped package behind its browser adapter, and in a plain hand-written client that parses the message, looks at its \
             kind and calls the handler. Both take turns in slices of 10,000 messages in one process of Node; nanoseconds are \
             medians, the ratio is the median of the turns' ratios and, in brackets, their tenth and ninetieth percentile.\n\n\
             | engine | plain, ns | heartline, ns | ratio | budget |\n|---|---:|---:|---:|---:|\n{messages}\n\
             From the import of the package to the login, on a socket that answers at once; each sample is a process of its own.\n\n\
             | client | ms |\n|---|---:|\n{starts}\n*Load average before {load}.*\n"
        ),
    )
}

/// What one measurement said.
struct Cost {
    bytes: u64,
    plain_ns: f64,
    ours_ns: f64,
    ratio: f64,
    least: f64,
    most: f64,
}

impl Cost {
    fn measure(way: &Way) -> Result<Self> {
        let lines = lines(node(way.flags, "message-cost.mjs").arg(way.engine))?;
        let line = lines.first().context("message-cost.mjs said nothing")?;
        Ok(Self {
            bytes: line["bytes"].as_u64().unwrap_or_default(),
            plain_ns: number(line, "plainNs")?,
            ours_ns: number(line, "oursNs")?,
            ratio: number(line, "ratio")?,
            least: number(line, "least")?,
            most: number(line, "most")?,
        })
    }
}

fn node(flags: &[&str], script: &str) -> Command {
    let mut node = program("node", "js-shim");
    node.args(flags).arg(format!("test/core/{script}"));
    node
}

/// Runs it and reads the lines of JSON that it prints. (`node --jitless` warns on its standard error.)
fn lines(command: &mut Command) -> Result<Vec<Value>> {
    let out = command.output().context("cannot start node")?;
    if !out.status.success() {
        bail!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    String::from_utf8_lossy(&out.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).with_context(|| format!("not JSON: {line}")))
        .collect()
}

fn number(line: &Value, key: &str) -> Result<f64> {
    line[key]
        .as_f64()
        .with_context(|| format!("no number `{key}` in {line}"))
}
