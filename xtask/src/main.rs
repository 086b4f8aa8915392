//! Every chore of this workspace, in Rust. `cargo xtask help` lists them.
//!
//! This file only decides; each chore has a room of its own.

mod autobahn;
mod bench;
mod chaos;
mod cost;
mod demo;
mod fuzz;
mod needs;
mod npm;
mod relay;
mod results;
mod run;
mod simulate;
mod size;
mod test;
mod tidy;
mod wasm;

use clap::{Parser, Subcommand};

/// The chores of the Heartline workspace.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build what the wasm client ships into js-shim/pkg.
    Wasm(wasm::WasmArgs),
    /// Build the npm package (and the wasm it carries) into js-shim/dist.
    Npm,
    /// Measure the client's size beside its peers; fail above the budget.
    Size,
    /// Check the invariants of the house: dependencies, module docs, leaks.
    Tidy,
    /// Run Autobahn's WebSocket conformance cases against the server's connection path.
    Autobahn(autobahn::AutobahnArgs),
    /// Run every check and test there is.
    Test(test::TestArgs),
    /// Build everything, start a server and the demo page, say how to push to it.
    Demo(demo::DemoArgs),
    /// Measure the server beside its peers, and write bench/RESULTS.md.
    Bench(bench::BenchArgs),
    /// Play seeds of the simulation: clients and a server on one fake clock, over a bad network, before an oracle.
    Simulate(simulate::SimulateArgs),
    /// Treat real clients' lines badly for a while, and look whether anything is lost: for the night.
    Chaos(chaos::ChaosArgs),
    /// Run the fuzz targets for a while.
    Fuzz(fuzz::FuzzArgs),
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().chore {
        Chore::Wasm(args) => wasm::run(&args),
        Chore::Npm => npm::run(),
        Chore::Size => size::run(),
        Chore::Tidy => tidy::run_tests(),
        Chore::Autobahn(args) => autobahn::run_cases(&args),
        Chore::Test(args) => test::run_all(&args),
        Chore::Demo(args) => demo::run_demo(&args),
        Chore::Bench(args) => bench::measure(&args),
        Chore::Simulate(args) => simulate::play(&args),
        Chore::Chaos(args) => chaos::run_chaos(&args),
        Chore::Fuzz(args) => fuzz::run_all(&args),
    }
}
