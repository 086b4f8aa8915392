//! `heartline-simulation --seeds N --from S [--mutant NAME]`: plays seeds; a failing one is cut down and told.

use clap::Parser;
use heartline_simulation::{Mutant, catch, play_many, shrink};
use std::process::ExitCode;
use std::time::Instant;

/// Clients and a server on one fake clock, watched by an oracle.
#[derive(Parser)]
#[command(name = "heartline-simulation")]
struct Cli {
    /// How many seeds to play.
    #[arg(long, default_value_t = 5_000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Threads; by default one for each core.
    #[arg(long)]
    threads: Option<usize>,
    /// How many events of a failure are told.
    #[arg(long, default_value_t = 60)]
    story: usize,
    /// Put a known mistake in, by its name, and tell how it is noticed.
    #[arg(long)]
    mutant: Option<String>,
    /// Afterwards put every known mistake in: each must be noticed within so many seeds.
    #[arg(long, value_name = "SEEDS")]
    mutants: Option<u64>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Panics of a run are failures of its seed, and told as such.
    std::panic::set_hook(Box::new(|_| {}));
    let mutant = match cli.mutant.as_deref().map(Mutant::named) {
        None => None,
        Some(Some(mutant)) => Some(mutant),
        Some(None) => {
            eprintln!("there is no such mutant; there are {:?}", Mutant::ALL);
            return ExitCode::FAILURE;
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = cli.threads.unwrap_or(cores);
    let began = Instant::now();
    let report = play_many(cli.from..cli.from + cli.seeds, mutant, threads, |report| {
        println!(
            "   {} seeds, {} steps, {:.0} s",
            report.seeds,
            report.steps,
            began.elapsed().as_secs_f32()
        );
    });
    if let Some(seed) = report.failed {
        println!("{}", shrink(seed, mutant, cli.story));
        return ExitCode::FAILURE;
    }
    println!(
        "{} seeds, {} steps, clean: {:.0} hours of fake time in {:.1} s\n   {}",
        report.seeds,
        report.steps,
        report.fake_ms as f64 / 3_600_000.0,
        began.elapsed().as_secs_f32(),
        report.tally
    );
    match cli.mutants {
        Some(seeds) if !all_are_caught(cli.from, seeds) => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}

fn all_are_caught(from: u64, seeds: u64) -> bool {
    let mut missed = 0;
    for mutant in Mutant::ALL {
        match catch(mutant, from..from + seeds) {
            Some((seed, what)) => println!("{mutant:?} is caught by seed {seed}: {what}"),
            None => {
                missed += 1;
                println!("{mutant:?} is not caught within {seeds} seeds");
            }
        }
    }
    println!(
        "{} of {} mutants caught",
        Mutant::ALL.len() - missed,
        Mutant::ALL.len()
    );
    missed == 0
}
