//! The effective configuration as a TOML file that could be used again, but for its secrets.

use std::fmt::Write as _;

use super::settings::{Kind, SETTINGS};
use super::{Loaded, LogFormat, Settings};
use crate::store::Durability;

/// Every setting with its value and who gave it; secrets are named, never shown.
pub fn effective(loaded: &Loaded) -> String {
    let mut out = String::new();
    let mut settings = loaded.settings.clone();
    let mut section = "";
    for setting in SETTINGS {
        let (its_section, name) = setting.path.split_once('.').unwrap_or(match setting.path {
            "roles" => ("roles", ""),
            path => ("", path),
        });
        if its_section != section {
            section = its_section;
            let _ = write!(out, "\n[{section}]\n"); // writing to a String cannot fail
        }
        let by = loaded
            .origins
            .get(setting.path)
            .map_or("default", String::as_str);
        if let Kind::RoleKeys = setting.kind {
            if settings.config.roles.is_empty() {
                let _ = writeln!(out, "# none: `serve` makes a key for the role user");
            }
            for role in settings.config.roles.keys() {
                let is_bare = role
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
                let role = if is_bare { role.clone() } else { quoted(role) };
                let _ = writeln!(out, "{role} = {HIDDEN}  # {by}");
            }
            continue;
        }
        match value(&setting.kind, &mut settings) {
            Some(value) => drop(writeln!(out, "{name} = {value}  # {by}")),
            None => drop(writeln!(out, "# {name}: none")),
        }
    }
    out
}

fn value(kind: &Kind, settings: &mut Settings) -> Option<String> {
    Some(match kind {
        Kind::Address(place) => format!("\"{}\"", place(settings)),
        Kind::OptionalAddress(place) => format!("\"{}\"", (*place(settings))?),
        Kind::Number { get, .. } => get(settings).to_string(),
        Kind::Switch(place) => place(settings).to_string(),
        Kind::Texts { place, .. } => list(place(settings).iter().map(|text| quoted(text))),
        Kind::LogFormat(place) => match place(settings) {
            LogFormat::Text => "\"text\"".into(),
            LogFormat::Json => "\"json\"".into(),
        },
        Kind::LogFilter => quoted(&settings.log.filter),
        Kind::RoleKeys => return None,
        Kind::PushKeys => list(settings.config.push.keys.iter().map(|_| HIDDEN.to_owned())),
        Kind::TlsCert => quoted(&settings.config.tls.as_ref()?.cert.display().to_string()),
        Kind::TlsKey => quoted(&settings.config.tls.as_ref()?.key.display().to_string()),
        Kind::StorePath => {
            let path = settings.config.store.path.as_deref();
            quoted(
                &path
                    .map(|path| path.display().to_string())
                    .unwrap_or_default(),
            )
        }
        Kind::Durability => match settings.config.store.durability {
            Durability::Power => "\"power\"".into(),
            Durability::Process => "\"process\"".into(),
        },
        Kind::RedisUrl => quoted(&without_password(
            settings.config.redis.as_ref()?.url.expose(),
        )),
        Kind::RedisPrefix => quoted(&settings.config.redis.as_ref()?.prefix),
    })
}

/// Host and database are worth showing; a password is before the `@`, or behind the `?` of a socket's URL.
pub(super) fn without_password(url: &str) -> String {
    let url = url.split('?').next().unwrap_or_default();
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://[secret]@{host}"),
        _ => url.to_owned(),
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list(entries: impl Iterator<Item = String>) -> String {
    format!("[{}]", entries.collect::<Vec<_>>().join(", "))
}

const HIDDEN: &str = "\"[secret]\"";
