//! Plays seeds of the simulation (`simulation/`, `docs/simulation.md`), optimised: clients and a server on one fake clock.

use anyhow::Result;

use crate::run::{cargo, run};

/// Which seeds to play.
#[derive(clap::Args)]
pub struct SimulateArgs {
    /// How many seeds.
    #[arg(long, default_value_t = 20_000)]
    pub seeds: u64,
    /// The first one.
    #[arg(long, default_value_t = 0)]
    pub from: u64,
    /// Put a known mistake in, by its name, and tell how it is noticed.
    #[arg(long)]
    pub mutant: Option<String>,
    /// How many events of a failure are told.
    #[arg(long, default_value_t = 60)]
    pub story: u64,
}

/// Seeds that the test command plays.
const SEEDS: u64 = 5_000;
/// Within so many seeds each known mistake must be noticed.
const MUTANT_SEEDS: u64 = 5_000;

/// The chore.
pub fn play(args: &SimulateArgs) -> Result<()> {
    let mut words = vec![
        format!("--seeds={}", args.seeds),
        format!("--from={}", args.from),
        format!("--story={}", args.story),
    ];
    words.extend(args.mutant.iter().map(|name| format!("--mutant={name}")));
    simulation(&words)
}

/// What the test command plays; afterwards every known mistake.
pub fn check() -> Result<()> {
    simulation(&[
        format!("--seeds={SEEDS}"),
        format!("--mutants={MUTANT_SEEDS}"),
    ])
}

fn simulation(words: &[String]) -> Result<()> {
    run(cargo()
        .args([
            "run",
            "--release",
            "--quiet",
            "--package",
            "heartline-simulation",
            "--",
        ])
        .args(words))
}
