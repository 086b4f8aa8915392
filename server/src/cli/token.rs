//! `token`: the login token of a user, for trying things out.

use std::process::ExitCode;

use clap::ArgMatches;
use heartline_protocol::{User, classic_token};

use super::{ASKED_WRONGLY, load_or_say};

pub(super) fn run(matches: &ArgMatches) -> ExitCode {
    let loaded = match load_or_say(matches) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    let text = matches.get_one::<String>("user").map_or("", String::as_str); // clap demands it
    let user = match User::parse(text) {
        Ok(user) => user,
        Err(error) => {
            // `token user=KEY user:6` is a flag forgotten, and shows a key.
            let shown = match text.contains('=') {
                true => "what is given (not shown: it looks like ROLE=KEY)".into(),
                false => format!("{text:?}"),
            };
            eprintln!("{shown} is no user: {error}; write ROLE:ID, such as user:6");
            return ExitCode::from(ASKED_WRONGLY);
        }
    };
    let Some(key) = loaded.settings.config.roles.get(user.role()) else {
        eprintln!(
            "no key is configured for the role {role}; give --role-key {role}=KEY, or --config PATH of the server's file",
            role = user.role()
        );
        return ExitCode::FAILURE;
    };
    println!("{}", classic_token(user.id(), key.expose()));
    ExitCode::SUCCESS
}
