//! Real clients behind a proxy that treats their lines badly, for as long as one likes: the nightly form of a test of `e2e/browser`.

use anyhow::{Context, Result};

use crate::run::{cargo, program, run, say, target_dir};
use crate::{needs, npm, test};

/// How long, and with which seed.
#[derive(clap::Args)]
pub struct ChaosArgs {
    /// Seconds of chaos.
    #[arg(long, default_value_t = 600)]
    pub seconds: u32,
    /// The seed of the proxy's faults; made of the clock if it is not given, and printed.
    #[arg(long)]
    pub seed: Option<u32>,
}

/// The chore.
pub fn run_chaos(args: &ChaosArgs) -> Result<()> {
    needs::for_tests()?;
    npm::run()?;
    needs::npm_ci("e2e/browser")?;
    say(format!("chaos: {} s", args.seconds));
    let mut command = program("node", "e2e/browser");
    command
        .args(["--test", "test/chaos.test.js"])
        .env("HEARTLINE_SERVER_BIN", test::server_binary()?)
        .env("HEARTLINE_LISTENER_BIN", listener_binary()?)
        .env("HEARTLINE_CHAOS_SECONDS", args.seconds.to_string());
    if let Some(seed) = args.seed {
        command.env("HEARTLINE_CHAOS_SEED", seed.to_string());
    }
    run(&mut command)
}

/// The example that listens with the native client.
pub fn listener_binary() -> Result<std::path::PathBuf> {
    run(cargo().args(["build", "--quiet", "--package", "heartline-bot"]))?;
    let name = format!("heartline-listener{}", std::env::consts::EXE_SUFFIX);
    let binary = target_dir().join("debug").join(name);
    binary
        .canonicalize()
        .with_context(|| format!("the build left no {}", binary.display()))
}
