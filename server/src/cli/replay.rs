//! `replay`: a client's trace, lived again: does the same come of it here?

use std::process::ExitCode;

use clap::ArgMatches;
use heartline_trace::{Outcome, Trace, TraceError};

use super::ASKED_WRONGLY;
use crate::config::shown_path;

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    // Clap has seen that it is there.
    let path = matches.get_one::<String>("trace").map_or("", |path| path);
    let shown = shown_path(path.as_ref());
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("{shown} cannot be read: {error}");
            return ExitCode::from(ASKED_WRONGLY);
        }
    };
    let trace = match Trace::parse(&text) {
        Ok(trace) => trace,
        Err(TraceError::Form(error)) => {
            // The reader's own words may quote what stands there, and it may be another file than
            // was meant.
            let (line, column) = (error.line(), error.column());
            eprintln!(
                "{shown}: not a trace: line {line}, column {column} is not as a recorder writes it"
            );
            return ExitCode::from(ASKED_WRONGLY);
        }
        Err(error) => {
            eprintln!("{shown}: {error}");
            return ExitCode::from(ASKED_WRONGLY);
        }
    };
    let mut is_same = !trace.lives.is_empty();
    for (at, life) in trace.lives.iter().enumerate() {
        if matches.get_flag("story") {
            life.story().for_each(|line| println!("{line}"));
        }
        let replayed = life.replay();
        let (life, engine) = (at + 1, &life.engine);
        match replayed.outcome {
            Outcome::Identical => println!(
                "life {life} ({engine}): {} calls, {} outputs: identical",
                replayed.calls, replayed.outputs
            ),
            Outcome::Diverged(difference) => {
                is_same = false;
                println!("life {life} ({engine}): {difference}");
            }
            Outcome::Truncated => {
                is_same = false;
                println!(
                    "life {life} ({engine}): its beginning was not kept, so it cannot be replayed; \
                     --story shows what there is, and a recorder with a higher bound keeps more"
                );
            }
        }
    }
    if trace.lives.is_empty() {
        println!("the trace has no life in it: was the recorder given to the client?");
    }
    if is_same {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
