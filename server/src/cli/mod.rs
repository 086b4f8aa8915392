//! The command line: `serve` (also without a word), `token`, `push`, `replay`, `check-config`.
//!
//! Exit codes: 0 done, 1 it did not work, 2 it was asked wrongly.

mod arguments;
mod check_config;
mod open_files;
mod push;
mod replay;
mod serve;
mod tls;
mod token;
mod usage_error;

use std::process::ExitCode;

use crate::config::{Loaded, load};

/// Runs what the process was started with.
pub fn run() -> ExitCode {
    let mut command = arguments::command();
    let matches = match command.try_get_matches_from_mut(std::env::args_os()) {
        Ok(matches) => matches,
        Err(error) => match usage_error::sentence(&error, &command) {
            Some(sentence) => {
                eprintln!("{sentence}");
                return ExitCode::from(ASKED_WRONGLY);
            }
            None => error.exit(),
        },
    };
    match matches.subcommand() {
        None => serve::run(&matches),
        Some(("serve", matches)) => serve::run(matches),
        Some(("token", matches)) => token::run(matches),
        Some(("push", matches)) => push::run(matches),
        Some(("replay", matches)) => replay::run(matches),
        Some(("check-config", matches)) => check_config::run(matches),
        Some((other, _)) => unreachable!("clap knows no command {other}"),
    }
}

/// The configuration, or all its problems on stderr.
fn load_or_say(matches: &clap::ArgMatches) -> Result<Loaded, ExitCode> {
    load(&arguments::sources(matches)).map_err(|problems| {
        eprintln!("{problems}");
        ExitCode::from(ASKED_WRONGLY)
    })
}

const ASKED_WRONGLY: u8 = 2;
