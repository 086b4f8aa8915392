//! Runs the fuzz targets of `fuzz/`, each for a bounded time.

use anyhow::{Result, bail};

use crate::run::{answers, program, run, say};

/// What to fuzz, and for how long.
#[derive(clap::Args)]
pub struct FuzzArgs {
    /// Seconds for each target.
    #[arg(long, default_value_t = 60)]
    pub seconds: u32,
}

/// The chore. The targets need no nightly toolchain: the sanitizer is off, the coverage is on.
pub fn run_all(args: &FuzzArgs) -> Result<()> {
    if !answers("cargo-fuzz", &["--version"]) {
        bail!("cargo-fuzz is missing: run `cargo install cargo-fuzz` and this again");
    }
    for entry in std::fs::read_dir(crate::run::root().join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        let Some(target) = path.file_stem().and_then(|name| name.to_str()) else {
            continue;
        };
        say(format!("fuzz: {target} for {} s", args.seconds));
        let limit = format!("-max_total_time={}", args.seconds);
        run(program("cargo", "fuzz")
            .args(["fuzz", "run", "--sanitizer", "none", target, "--", &limit])
            .env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}
