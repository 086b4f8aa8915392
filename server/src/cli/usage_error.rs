//! Messages about a command line that is not understood. The parser's own message repeats the
//! argument, which may be a key beside its flag: `--push-key ONE TWO`. Names of flags and commands
//! are shown, other words are not.

use clap::Command;
use clap::error::{ContextKind, ContextValue, Error};

/// A sentence in the place of the parser's own, if that would show a word that was given.
pub(super) fn sentence(error: &Error, command: &Command) -> Option<String> {
    if error.get(ContextKind::SuggestedSubcommand).is_some() {
        return None; // nearly a command's name, and shown beside it
    }
    let is_ours = |word: &str| {
        command.find_subcommand(word).is_some() || word.starts_with('<') || is_flag(word)
    };
    let given = [
        ContextKind::InvalidArg,
        ContextKind::InvalidSubcommand,
        ContextKind::InvalidValue,
    ];
    let foreign = given.into_iter().find(|kind| match error.get(*kind) {
        Some(ContextValue::String(word)) => !is_ours(word),
        Some(ContextValue::Strings(words)) => !words.iter().all(|word| is_ours(word)),
        _ => false,
    })?;
    let flag = match error.get(ContextKind::InvalidArg) {
        Some(ContextValue::String(flag)) if is_flag(flag) => flag.split(' ').next(),
        _ => None,
    };
    let trouble = match (foreign, flag) {
        (ContextKind::InvalidValue, Some(flag)) => {
            format!("{flag} has a value that it does not take")
        }
        _ => "an argument is no command, and belongs to no flag".into(),
    };
    Some(format!(
        "error: {trouble} (it is not shown: it may be a secret); \
         a flag takes one value, and one with spaces stands in quotes\n\n\
         For more information, try '--help'."
    ))
}

/// A flag as it is declared or written: `--push-key`, `--push-key <KEY>`.
fn is_flag(word: &str) -> bool {
    let (name, rest) = word.split_once(' ').unwrap_or((word, "<"));
    let name = name.strip_prefix("--").unwrap_or_default();
    let is_name = |b: u8| b.is_ascii_lowercase() || b == b'-';
    !name.is_empty() && name.bytes().all(is_name) && rest.starts_with('<')
}
