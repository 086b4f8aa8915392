//! `check-config`: what `serve` would run with. Errors are said by the loader; warnings go to stderr.

use std::process::ExitCode;

use clap::ArgMatches;

use super::load_or_say;
use crate::auth::PushAccess;
use crate::config::effective;

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    match load_or_say(matches) {
        Ok(loaded) => {
            match &loaded.file {
                Some(path) => println!("# file: {}", path.display()),
                None => println!("# file: none"),
            }
            print!("{}", effective(&loaded));
            let config = &loaded.settings.config;
            println!("\n# What is open, and who may push:");
            for sentence in PushAccess::new(config).describe(config.listen, config.push.listen) {
                println!("# {sentence}");
            }
            for warning in &loaded.warnings {
                eprintln!("warning: {warning}");
            }
            ExitCode::SUCCESS
        }
        Err(code) => code,
    }
}
