//! Leads a run: scenario after scenario, each written into the results as soon as it is known.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Result, bail};

use crate::durable::{self, Amount};
use crate::fleet::Fleet;
use crate::peer::{BEFORE, NAMES, Tools};
use crate::report::{Conditions, Report};
use crate::scenario::{self, Scale};

/// What `run` is told.
#[derive(clap::Args)]
pub struct RunArgs {
    #[command(flatten)]
    tools: Tools,
    /// Small numbers, for a look.
    #[arg(long)]
    quick: bool,
    /// These scenarios only.
    #[arg(long)]
    only: Vec<String>,
    /// These peers only (ours and the floor always).
    #[arg(long)]
    peer: Vec<String>,
    /// `NAME=REASON`: a peer that could not be installed.
    #[arg(long)]
    missing: Vec<String>,
    /// The folder with RESULTS.md and plots/.
    #[arg(long)]
    out: PathBuf,
}

/// All scenarios, in the order in which they run.
pub const SCENARIOS: [&str; 9] = [
    "memory", "connect", "fanout", "ping", "devices", "users", "flood", "frozen", "durable",
];

/// Runs them.
pub fn lead(args: RunArgs) -> Result<()> {
    if let Some(unknown) = args
        .only
        .iter()
        .find(|only| !SCENARIOS.contains(&only.as_str()))
    {
        bail!(
            "there is no scenario {unknown}; there are {}",
            SCENARIOS.join(", ")
        );
    }
    let missing: Vec<(String, String)> = args
        .missing
        .iter()
        .filter_map(|line| line.split_once('='))
        .map(|(name, why)| (name.into(), why.into()))
        .collect();
    let wanted = |name: &str| {
        if name == BEFORE {
            return args.tools.before.is_some();
        }
        let ours = name == "floor" || name.starts_with("heartline");
        ours || args.peer.is_empty() || args.peer.iter().any(|peer| peer == name)
    };
    let names = NAMES
        .iter()
        .filter(|name| wanted(name) && !missing.iter().any(|(gone, _)| gone == *name));
    let names: Vec<String> = names.map(|name| (*name).to_owned()).collect();
    let scale = if args.quick {
        Scale::quick()
    } else {
        Scale::full()
    };
    let mut report = Report::new(args.out, args.quick, &names, &missing, &args.tools);
    let mut fleet = Fleet::new(args.tools.clone(), names);
    let whole = args.only.is_empty();
    report.machine()?;
    for name in SCENARIOS
        .iter()
        .filter(|name| whole || args.only.iter().any(|only| only == *name))
    {
        println!("── {name}");
        let began = Instant::now();
        let mut conditions = Conditions::begin();
        let failed = fleet.failures.len();
        match *name {
            "durable" => {
                let amount = if args.quick {
                    Amount::quick()
                } else {
                    Amount::full()
                };
                report.durable(&mut conditions, &durable::measure(&args.tools, &amount)?);
            }
            "memory" => report.memory(&mut conditions, &scenario::memory(&mut fleet, &scale)?),
            "connect" => report.connect(&mut conditions, &scenario::connect(&mut fleet, &scale)?),
            "fanout" => report.fanout(&mut conditions, &scenario::fanout(&mut fleet, &scale)?),
            "ping" => report.ping(&mut conditions, &scenario::ping(&mut fleet, &scale)?),
            "devices" => report.devices(&mut conditions, &scenario::devices(&mut fleet, &scale)?),
            "users" => report.users(
                &mut conditions,
                scale.users,
                &scenario::users(&mut fleet, &scale)?,
            ),
            "flood" => report.flood(
                &mut conditions,
                scale.room,
                &scenario::flood(&mut fleet, &scale)?,
            ),
            _ => report.frozen(
                &mut conditions,
                scale.readers,
                &scenario::frozen(&mut fleet, &scale)?,
            ),
        }
        report.write(name, &conditions, &fleet.failures[failed..])?;
        println!("   {name}: {:.0} s", began.elapsed().as_secs_f32());
    }
    Ok(())
}
