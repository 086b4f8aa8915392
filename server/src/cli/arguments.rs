//! What may be written on the command line. The settings' flags come from the one table of settings.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::{Flag, FlagValue, SETTINGS, Sources};

/// The whole command line.
pub(super) fn command() -> Command {
    Command::new("heartline-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("One live line to every device of a logged-in user: WebSocket and HTTP push on one port.")
        .after_help(
            "Without a command, `serve` is meant. Every setting may also come from heartline.toml or the environment; \
             see docs/configuration.md.",
        )
        .args_conflicts_with_subcommands(true)
        .args(settings(|_| true))
        .arg(memory())
        .subcommand(
            Command::new("serve")
                .about("Run the server")
                .args(settings(|_| true))
                .arg(memory()),
        )
        .subcommand(
            Command::new("check-config")
                .about("Print the configuration that `serve` would run with, secrets hidden, or all that is wrong with it")
                .args(settings(|_| true))
                .arg(memory()),
        )
        .subcommand(
            Command::new("token")
                .about("Print the login token of a user")
                .args(settings(|path| path == "roles"))
                .arg(Arg::new("user").value_name("ROLE:ID").required(true).help("Whose token")),
        )
        .subcommand(push())
        .subcommand(replay())
}

fn replay() -> Command {
    Command::new("replay")
        .about("Live a client's trace again, and say whether the same comes of it")
        .arg(
            Arg::new("trace")
                .value_name("FILE")
                .required(true)
                .help("The trace, as a client's recorder gave it: JSON"),
        )
        .arg(
            Arg::new("story")
                .long("story")
                .action(ArgAction::SetTrue)
                .help("Print each call, and what came of it"),
        )
}

/// What was given, for the loader.
pub(super) fn sources(matches: &ArgMatches) -> Sources {
    let mut flags = Vec::new();
    for flag in SETTINGS
        .iter()
        .flat_map(|s| [Some(s.flag), s.file.map(|twin| twin.flag)])
        .flatten()
    {
        let name = flag.name();
        // A command that does not take this flag has no such id.
        let given = match flag {
            Flag::Switch(..) => is_given(matches, name).then(Vec::new),
            Flag::One(..) | Flag::Many(..) => matches
                .try_get_many::<String>(name)
                .ok()
                .flatten()
                .map(|values| values.cloned().collect()),
        };
        flags.extend(given.map(|values| FlagValue {
            name: name.to_owned(),
            values,
        }));
        if let Flag::Switch(_, off) = flag
            && is_given(matches, off)
        {
            flags.push(FlagValue {
                name: off.to_owned(),
                values: Vec::new(),
            });
        }
    }
    if is_given(matches, "memory") {
        flags.push(FlagValue {
            name: "store-path".into(),
            values: vec![String::new()],
        });
    }
    Sources {
        config_file: matches.get_one::<PathBuf>("config").cloned(),
        directory: PathBuf::new(),
        environment: std::env::vars_os().collect(),
        flags,
    }
}

/// Whether a flag without a value is there. A command that does not take it has no such id.
fn is_given(matches: &ArgMatches, name: &str) -> bool {
    matches!(matches.try_get_one::<bool>(name), Ok(Some(true)))
}

fn settings(wanted: fn(&str) -> bool) -> Vec<Arg> {
    let config = Arg::new("config")
        .long("config")
        .value_name("PATH")
        .value_parser(value_parser!(PathBuf))
        .help("Read this file instead of heartline.toml, if that is there [env: HEARTLINE_CONFIG]");
    let mut args = vec![config];
    for setting in SETTINGS.iter().filter(|setting| wanted(setting.path)) {
        args.push(argument(
            setting.flag,
            format!("{} [env: {}]", setting.help, setting.env),
        ));
        if let Flag::Switch(name, off) = setting.flag {
            args.push(
                Arg::new(off)
                    .long(off)
                    .action(ArgAction::SetTrue)
                    .overrides_with(name)
                    .help(format!(
                        "The opposite of --{name}; of the two, the later one counts"
                    )),
            );
        }
        if let Some(twin) = setting.file {
            let help = format!(
                "The same as --{}, from a file [env: {}]",
                setting.flag.name(),
                twin.env
            );
            args.push(argument(twin.flag, help));
        }
    }
    args
}

fn argument(flag: Flag, help: String) -> Arg {
    let arg = Arg::new(flag.name()).long(flag.name()).help(help);
    match flag {
        Flag::One(_, value) => arg
            .value_name(value)
            .allow_hyphen_values(true)
            .action(ArgAction::Set),
        Flag::Many(_, value) => arg
            .value_name(value)
            .allow_hyphen_values(true)
            .action(ArgAction::Append),
        Flag::Switch(..) => arg.action(ArgAction::SetTrue),
    }
}

fn memory() -> Arg {
    Arg::new("memory")
        .long("memory")
        .action(ArgAction::SetTrue)
        .conflicts_with("store-path")
        .help("Keep everything in memory and nothing on disk: short for an empty --store-path")
}

fn push() -> Command {
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .help(help)
            .allow_hyphen_values(true)
    };
    Command::new("push")
        .about("Push once over HTTP; fails unless the server answers `ok`")
        .arg(text("url", "URL", "The server").default_value("http://127.0.0.1:8080/"))
        .arg(
            text(
                "to",
                "ROLE:ID",
                "To whom; as often as wanted, or with commas",
            )
            .required(true)
            .action(ArgAction::Append),
        )
        .arg(text("event", "EVENT", "The event").required(true))
        .arg(
            text(
                "msg",
                "MSG",
                "The message; if it is JSON, it arrives as what it says",
            )
            .required(true),
        )
        .arg(text("field", "NAME=VALUE", "A further field").action(ArgAction::Append))
        .arg(
            text(
                "key",
                "KEY",
                "The push key; none is needed on the machine of a server with --loopback-push",
            )
            .env("HEARTLINE_PUSH_KEY")
            .hide_env_values(true),
        )
        .arg(
            text("ca-file", "PATH", "Trust the certificates in this file (PEM), and no others, where the URL begins with https")
                .value_parser(value_parser!(PathBuf)),
        )
        .arg(
            text("key-file", "PATH", "The push key from a file")
                .conflicts_with("key")
                .value_parser(value_parser!(PathBuf)),
        )
}
