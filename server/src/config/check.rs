//! Holds settings against one another, and finds what is allowed but deserves a look.

use std::collections::BTreeMap;

use heartline_protocol::User;

use super::{Problem, Settings};
use crate::presence::RESERVED_ROLES;
use crate::tls::{Tls, TlsFile, TlsFiles};

/// Puts in what follows from other settings.
pub(super) fn settle(settings: &mut Settings, origins: &BTreeMap<&'static str, String>) {
    let timing = &mut settings.config.timing;
    if !origins.contains_key("timing.idle_timeout_ms") {
        // Slower pings alone must not make the default idle window shorter than what they leave room for.
        timing.idle_timeout_ms = timing
            .idle_timeout_ms
            .max(timing.ping_interval_ms.saturating_mul(3));
    }
    let is_empty =
        |files: &TlsFiles| files.cert.as_os_str().is_empty() && files.key.as_os_str().is_empty();
    settings.config.tls.take_if(|files| is_empty(files));
    if settings
        .config
        .redis
        .as_ref()
        .is_some_and(|redis| redis.url.expose().is_empty())
    {
        settings.config.redis = None;
    }
}

/// What is impossible together.
pub(super) fn problems(
    settings: &Settings,
    origins: &BTreeMap<&'static str, String>,
) -> Vec<Problem> {
    let config = &settings.config;
    let mut found = Vec::new();
    let mut add =
        |setting: &str, name: &'static str, value: Option<String>, trouble: &str, remedy: &str| {
            found.push(Problem {
                setting: setting.into(),
                value,
                source: origins.get(name).cloned(),
                trouble: trouble.into(),
                remedy: remedy.into(),
            });
        };
    if let Some(files) = &config.tls {
        let missing = [
            ("tls.cert_file", &files.cert, "tls.key_file"),
            ("tls.key_file", &files.key, "tls.cert_file"),
        ];
        let missing = missing
            .into_iter()
            .find(|(_, path, _)| path.as_os_str().is_empty());
        if let Some((name, _, other)) = missing {
            add(
                name,
                other,
                None,
                &format!("{other} is given without it"),
                "give both, or neither",
            );
        } else if let Err(error) = Tls::load(files) {
            let name = match error.about {
                TlsFile::Certificate => "tls.cert_file",
                TlsFile::Key => "tls.key_file",
            };
            add(name, name, Some(error.path), &error.trouble, &error.remedy);
        }
    }
    if config.push.listen == Some(config.listen) && config.listen.port() != 0 {
        add(
            "push.listen",
            "push.listen",
            Some(config.listen.to_string()),
            "the same address as `listen`",
            "give pushes another port, or leave it out",
        );
    }
    let timing = &config.timing;
    if timing.idle_timeout_ms <= timing.ping_interval_ms {
        add(
            "timing.idle_timeout_ms",
            "timing.idle_timeout_ms",
            Some(timing.idle_timeout_ms.to_string()),
            &format!(
                "must be more than timing.ping_interval_ms, which is {} ms, or quiet connections are closed before they are asked",
                timing.ping_interval_ms
            ),
            &format!(
                "write {} or more, or ping more often",
                timing.ping_interval_ms.saturating_mul(3)
            ),
        );
    }
    for (role, key) in &config.roles {
        let name = format!("roles.{role}");
        if let Some(trouble) = role_trouble(role) {
            add(
                &name,
                "roles",
                None,
                trouble,
                "use a short name such as user",
            );
        }
        if key.expose().is_empty() {
            add(
                &name,
                "roles",
                None,
                "the key is empty",
                "give the key that the backend makes tokens with",
            );
        }
    }
    if config
        .push
        .keys
        .iter()
        .any(|key| !is_header_text(key.expose()))
    {
        let trouble = "a key is empty, or holds what an HTTP header cannot carry";
        add(
            "push.keys",
            "push.keys",
            None,
            trouble,
            "use letters, digits and punctuation without spaces",
        );
    }
    found
}

/// What works, but perhaps not as meant.
pub(super) fn warnings(
    settings: &Settings,
    origins: &BTreeMap<&'static str, String>,
) -> Vec<String> {
    let config = &settings.config;
    let mut found = Vec::new();
    found.extend(config.tls.as_ref().and_then(TlsFiles::warning));
    if let (None, Some(by)) = (&config.redis, origins.get("redis.prefix")) {
        found.push(format!(
            "redis.prefix ({by}) has no effect: redis.url is not given"
        ));
    }
    if !config.listen.ip().is_loopback() {
        for (role, key) in &config.roles {
            if key.expose().len() < SHORT_KEY_BYTES {
                found.push(format!(
                    "the key of role {role} is shorter than {SHORT_KEY_BYTES} characters and {} is open to others: \
                     a token can be guessed; use a longer key",
                    config.listen
                ));
            }
        }
        if config
            .push
            .keys
            .iter()
            .any(|key| key.expose().len() < SHORT_KEY_BYTES)
        {
            found.push(format!(
                "a push key is shorter than {SHORT_KEY_BYTES} characters and {} is open to others; use a longer one",
                config.listen
            ));
        }
    }
    if let Some(address) = config.push.listen
        && !address.ip().is_loopback()
    {
        found.push(format!(
            "push.listen {address} is open to other machines and speaks no TLS: whoever listens on that network sees \
             the push keys; use 127.0.0.1, or a network of your own"
        ));
    }
    if config.push.events.is_empty() {
        found.push("no event may be pushed: push.events is empty".into());
    }
    found
}

fn role_trouble(role: &str) -> Option<&'static str> {
    if role.is_empty() {
        Some("the role has no name")
    } else if role.contains(':') {
        Some("a role's name cannot hold a colon: it ends the role in ROLE:ID")
    } else if role.contains(|c: char| c.is_whitespace() || c.is_control() || ",[]=".contains(c)) {
        Some("a role's name cannot hold spaces, commas, brackets or `=`")
    } else if role.len() > User::ROLE_BYTES {
        Some("a role's name is at most 64 bytes long")
    } else if RESERVED_ROLES.contains(&role) {
        Some(
            "a role's name cannot be fd, online, active or heartline: those are other keys in Redis",
        )
    } else {
        None
    }
}

fn is_header_text(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Shorter keys get a warning where others can reach the server.
const SHORT_KEY_BYTES: usize = 16;
