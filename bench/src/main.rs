//! Measures the server beside its peers and beside a bare send loop. `cargo xtask bench` is the way in: it builds or
//! installs what this needs.
//!
//! `run` leads; per peer there is one `agent` process that starts the peer and is its load generator; `floor` is the bare
//! loop. See `scenario` for what is measured and `slice` for how.

mod agent;
mod crowd;
mod durable;
mod fleet;
mod floor;
mod peer;
mod posts;
mod priority;
mod process;
mod report;
mod run;
mod scenario;
mod slice;
mod wire;

use clap::{Parser, Subcommand};

/// The load generator and its peers.
#[derive(Parser)]
#[command(name = "heartline-bench")]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Lead a run: what `cargo xtask bench` calls.
    Run(run::RunArgs),
    /// Load one peer, as told on standard input.
    Agent {
        /// Which.
        #[arg(long)]
        peer: String,
        /// Where it shall listen.
        #[arg(long)]
        port: u16,
        #[command(flatten)]
        tools: peer::Tools,
    },
    /// The bare send loop.
    Floor {
        /// Sockets come in here, orders at the next.
        #[arg(long)]
        port: u16,
    },
}

fn main() -> anyhow::Result<()> {
    match Cli::parse().role {
        Role::Run(args) => run::lead(args),
        Role::Agent { peer, port, tools } => agent::run(&peer, port, tools),
        Role::Floor { port } => floor::run(port, scenario::FRAME),
    }
}
