//! The one table of all settings. A setting has one row here, and with it a name in the file, an environment
//! variable, a flag, a sentence, bounds and a place in [`Settings`]; a test holds `docs/configuration.md` to it.

use std::net::SocketAddr;

use super::{LogFormat, Settings};

/// One setting, wherever it may be given.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the file: `section.name`.
    pub path: &'static str,
    /// Its environment variable.
    pub env: &'static str,
    /// Its flag.
    pub flag: Flag,
    /// One sentence for `--help`.
    pub help: &'static str,
    /// For secrets: the same from a file.
    pub file: Option<FileTwin>,
    pub(super) kind: Kind,
}

/// How a flag is written.
#[derive(Clone, Copy, Debug)]
pub enum Flag {
    /// `--name VALUE`, once.
    One(&'static str, &'static str),
    /// `--name VALUE`, as often as wanted.
    Many(&'static str, &'static str),
    /// Two flags without a value: the first switches the setting on, the second off.
    Switch(&'static str, &'static str),
}

/// The names under which a secret setting may name a file instead.
#[derive(Clone, Copy, Debug)]
pub struct FileTwin {
    /// In the file.
    pub path: &'static str,
    /// In the environment.
    pub env: &'static str,
    /// As a flag.
    pub flag: Flag,
}

/// What kind of value a setting takes, and where it goes.
#[derive(Debug)]
pub(super) enum Kind {
    Address(fn(&mut Settings) -> &mut SocketAddr),
    /// An address that may be missing: an empty text.
    OptionalAddress(fn(&mut Settings) -> &mut Option<SocketAddr>),
    Number {
        unit: &'static str,
        min: u64,
        max: u64,
        get: fn(&Settings) -> u64,
        set: fn(&mut Settings, u64),
    },
    Switch(fn(&mut Settings) -> &mut bool),
    Texts {
        what: &'static str,
        accepts: fn(&str) -> bool,
        place: fn(&mut Settings) -> &mut Vec<String>,
    },
    LogFormat(fn(&mut Settings) -> &mut LogFormat),
    LogFilter,
    RoleKeys,
    PushKeys,
    RedisUrl,
    RedisPrefix,
    TlsCert,
    TlsKey,
    StorePath,
    Durability,
}

impl Setting {
    /// Whether what it is given must not be shown.
    pub fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::RoleKeys | Kind::PushKeys | Kind::RedisUrl)
    }
}

impl Flag {
    /// The flag's name without dashes.
    pub fn name(self) -> &'static str {
        match self {
            Self::One(name, _) | Self::Many(name, _) | Self::Switch(name, _) => name,
        }
    }
}

/// A row for a number: its place is named once, as the path below `Settings`.
macro_rules! number {
    ($path:literal, $env:literal, $flag:literal, $unit:literal, $min:literal ..= $max:literal, $($place:ident).+, $help:literal) => {
        Setting {
            path: $path,
            env: $env,
            flag: Flag::One($flag, "N"),
            help: $help,
            file: None,
            kind: Kind::Number {
                unit: $unit,
                min: $min,
                max: $max,
                get: |settings| settings.config.$($place).+ as u64,
                // The largest number of each row fits its place.
                set: |settings, value| settings.config.$($place).+ = value as _,
            },
        }
    };
}

/// Every setting, in the order in which they are shown.
pub static SETTINGS: &[Setting] = &[
    Setting {
        path: "listen",
        env: "HEARTLINE_LISTEN",
        flag: Flag::One("listen", "ADDRESS:PORT"),
        help: "Where to listen, for WebSocket and HTTP alike; port 0 takes a free one",
        file: None,
        kind: Kind::Address(|settings| &mut settings.config.listen),
    },
    Setting {
        path: "allowed_origins",
        env: "HEARTLINE_ALLOWED_ORIGINS",
        flag: Flag::Many("allowed-origin", "ORIGIN"),
        help: "Web pages of these origins only may connect; none given: any",
        file: None,
        kind: Kind::Texts {
            what: "an origin as browsers send it, such as https://app.example.com",
            accepts: is_origin,
            place: |settings| &mut settings.config.allowed_origins,
        },
    },
    number!(
        "shards",
        "HEARTLINE_SHARDS",
        "shards",
        "threads",
        0..=1024,
        shards,
        "Threads that carry connections; 0: one per core"
    ),
    number!(
        "deflate_min_bytes",
        "HEARTLINE_DEFLATE_MIN_BYTES",
        "deflate-min-bytes",
        "bytes",
        0..=1_073_741_824,
        deflate_min_bytes,
        "Compress messages from this size on for clients that offer it; 0: never"
    ),
    Setting {
        path: "roles",
        env: "HEARTLINE_ROLE_KEYS",
        flag: Flag::Many("role-key", "ROLE=KEY"),
        help: "The key with which a role's login tokens are made: lower-hex md5(ID + KEY)",
        file: Some(FileTwin {
            path: "roles",
            env: "HEARTLINE_ROLE_KEYS_FILE",
            flag: Flag::Many("role-key-file", "ROLE=PATH"),
        }),
        kind: Kind::RoleKeys,
    },
    Setting {
        path: "push.keys",
        env: "HEARTLINE_PUSH_KEYS",
        flag: Flag::Many("push-key", "KEY"),
        help: "Who sends this as `Authorization: Bearer KEY` may push, from anywhere",
        file: Some(FileTwin {
            path: "push.key_files",
            env: "HEARTLINE_PUSH_KEYS_FILE",
            flag: Flag::Many("push-key-file", "PATH"),
        }),
        kind: Kind::PushKeys,
    },
    Setting {
        path: "push.allow_loopback",
        env: "HEARTLINE_PUSH_ALLOW_LOOPBACK",
        flag: Flag::Switch("loopback-push", "no-loopback-push"),
        help: "Programs of this machine may push without a key, until the first sign of a proxy on this machine",
        file: None,
        kind: Kind::Switch(|settings| &mut settings.config.push.allow_loopback),
    },
    Setting {
        path: "push.listen",
        env: "HEARTLINE_PUSH_LISTEN",
        flag: Flag::One("push-listen", "ADDRESS:PORT"),
        help: "A port of their own for backends' pushes, which no proxy needs to reach; empty: they use --listen",
        file: None,
        kind: Kind::OptionalAddress(|settings| &mut settings.config.push.listen),
    },
    Setting {
        path: "push.events",
        env: "HEARTLINE_PUSH_EVENTS",
        flag: Flag::Many("push-event", "EVENT"),
        help: "Events that may be pushed: a name, or the beginning of names and a `*`",
        file: None,
        kind: Kind::Texts {
            what: "an event's name, or the beginning of names and one `*` at the end",
            accepts: is_event_pattern,
            place: |settings| &mut settings.config.push.events,
        },
    },
    Setting {
        path: "push.durable_events",
        env: "HEARTLINE_PUSH_DURABLE_EVENTS",
        flag: Flag::Many("durable-event", "EVENT"),
        help: "Classic pushes of these events are stored before they are answered: a name, or the beginning of names and a `*`",
        file: None,
        kind: Kind::Texts {
            what: "an event's name, or the beginning of names and one `*` at the end",
            accepts: is_event_pattern,
            place: |settings| &mut settings.config.push.durable_events,
        },
    },
    number!(
        "push.max_body_bytes",
        "HEARTLINE_PUSH_MAX_BODY_BYTES",
        "push-max-body-bytes",
        "bytes",
        1024..=1_073_741_824,
        push.max_body_bytes,
        "Largest body of a push"
    ),
    Setting {
        path: "tls.cert_file",
        env: "HEARTLINE_TLS_CERT_FILE",
        flag: Flag::One("tls-cert", "PATH"),
        help: "The certificate (PEM, with those that lead to a root): the port speaks TLS; empty: it does not",
        file: None,
        kind: Kind::TlsCert,
    },
    Setting {
        path: "tls.key_file",
        env: "HEARTLINE_TLS_KEY_FILE",
        flag: Flag::One("tls-key", "PATH"),
        help: "The private key of the certificate (PEM)",
        file: None,
        kind: Kind::TlsKey,
    },
    Setting {
        path: "store.path",
        env: "HEARTLINE_STORE_PATH",
        flag: Flag::One("store-path", "PATH"),
        help: "The folder of stored pushes; empty: they are kept in memory, and lost at the end",
        file: None,
        kind: Kind::StorePath,
    },
    Setting {
        path: "store.durability",
        env: "HEARTLINE_STORE_DURABILITY",
        flag: Flag::One("store-durability", "WHAT"),
        help: "What an answered push survives: `power` (a power cut) or `process` (the end of this process, however sudden)",
        file: None,
        kind: Kind::Durability,
    },
    number!(
        "store.max_age_ms",
        "HEARTLINE_STORE_MAX_AGE_MS",
        "store-max-age-ms",
        "ms",
        1_000..=31_536_000_000_000,
        store.max_age_ms,
        "A stored push older than this is removed"
    ),
    number!(
        "store.max_messages",
        "HEARTLINE_STORE_MAX_MESSAGES",
        "store-max-messages",
        "messages",
        1..=1_000_000_000,
        store.max_messages,
        "Stored pushes of one recipient; beyond, the oldest are removed"
    ),
    number!(
        "store.max_bytes",
        "HEARTLINE_STORE_MAX_BYTES",
        "store-max-bytes",
        "bytes",
        1_024..=1_099_511_627_776,
        store.max_bytes,
        "Bytes of one recipient's stored pushes; beyond, the oldest are removed"
    ),
    number!(
        "store.memory_bytes",
        "HEARTLINE_STORE_MEMORY_BYTES",
        "store-memory-bytes",
        "bytes",
        16_777_216..=1_099_511_627_776,
        store.memory_bytes,
        "Bytes that a store in memory may hold, of all recipients; beyond, pushes are refused (507)"
    ),
    number!(
        "timing.ping_interval_ms",
        "HEARTLINE_PING_INTERVAL_MS",
        "ping-interval-ms",
        "ms",
        10..=86_400_000,
        timing.ping_interval_ms,
        "Between two pings of the server to one connection"
    ),
    number!(
        "timing.idle_timeout_ms",
        "HEARTLINE_IDLE_TIMEOUT_MS",
        "idle-timeout-ms",
        "ms",
        20..=604_800_000,
        timing.idle_timeout_ms,
        "A connection that has sent nothing for this long is closed"
    ),
    number!(
        "timing.login_deadline_ms",
        "HEARTLINE_LOGIN_DEADLINE_MS",
        "login-deadline-ms",
        "ms",
        10..=604_800_000,
        timing.login_deadline_ms,
        "A connection that has not logged in for this long is closed"
    ),
    number!(
        "timing.drain_window_ms",
        "HEARTLINE_DRAIN_WINDOW_MS",
        "drain-window-ms",
        "ms",
        0..=3_600_000,
        timing.drain_window_ms,
        "At the end, how long connections may take to leave"
    ),
    number!(
        "limits.max_connections",
        "HEARTLINE_MAX_CONNECTIONS",
        "max-connections",
        "connections",
        1..=10_000_000,
        limits.max_connections,
        "Open connections, all together"
    ),
    number!(
        "limits.max_connections_per_address",
        "HEARTLINE_MAX_CONNECTIONS_PER_ADDRESS",
        "max-connections-per-address",
        "connections",
        0..=10_000_000,
        limits.max_connections_per_address,
        "Open connections of one remote address; 0: no bound"
    ),
    number!(
        "limits.max_connections_per_user",
        "HEARTLINE_MAX_CONNECTIONS_PER_USER",
        "max-connections-per-user",
        "connections",
        1..=10_000_000,
        limits.max_connections_per_user,
        "Logged-in connections of one user"
    ),
    number!(
        "limits.max_message_bytes",
        "HEARTLINE_MAX_MESSAGE_BYTES",
        "max-message-bytes",
        "bytes",
        128..=1_073_741_824,
        limits.max_message_bytes,
        "Largest frame and largest message of a client"
    ),
    number!(
        "limits.frames_per_second",
        "HEARTLINE_FRAMES_PER_SECOND",
        "frames-per-second",
        "frames",
        1..=1_000_000,
        limits.frames_per_second,
        "Frames of one connection per second, in the long run"
    ),
    number!(
        "limits.frame_burst",
        "HEARTLINE_FRAME_BURST",
        "frame-burst",
        "frames",
        1..=100_000_000,
        limits.frame_burst,
        "Frames that one connection may send at once"
    ),
    number!(
        "limits.outbound_queue_bytes",
        "HEARTLINE_OUTBOUND_QUEUE_BYTES",
        "outbound-queue-bytes",
        "bytes",
        4096..=1_073_741_824,
        limits.outbound_queue_bytes,
        "What may wait for one connection that does not read"
    ),
    number!(
        "limits.max_recipients",
        "HEARTLINE_MAX_RECIPIENTS",
        "max-recipients",
        "users",
        1..=10_000_000,
        limits.max_recipients,
        "Recipients of one push"
    ),
    number!(
        "limits.max_push_bytes",
        "HEARTLINE_MAX_PUSH_BYTES",
        "max-push-bytes",
        "bytes",
        65_536..=1_099_511_627_776,
        limits.max_push_bytes,
        "What one stored push to several recipients may take of the store: its body, for each of them"
    ),
    Setting {
        path: "redis.url",
        env: "HEARTLINE_REDIS_URL",
        flag: Flag::One("redis", "URL"),
        help: "Mirror who is online to this Redis: redis://[:PASSWORD@]HOST:PORT/DB",
        file: Some(FileTwin {
            path: "redis.url_file",
            env: "HEARTLINE_REDIS_URL_FILE",
            flag: Flag::One("redis-url-file", "PATH"),
        }),
        kind: Kind::RedisUrl,
    },
    Setting {
        path: "redis.prefix",
        env: "HEARTLINE_REDIS_PREFIX",
        flag: Flag::One("redis-prefix", "PREFIX"),
        help: "Put before every Redis key, such as laravel_database_",
        file: None,
        kind: Kind::RedisPrefix,
    },
    Setting {
        path: "log.format",
        env: "HEARTLINE_LOG_FORMAT",
        flag: Flag::One("log-format", "text|json"),
        help: "Log lines for people (text) or for machines (json)",
        file: None,
        kind: Kind::LogFormat(|settings| &mut settings.log.format),
    },
    Setting {
        path: "log.filter",
        env: "HEARTLINE_LOG",
        flag: Flag::One("log", "FILTER"),
        help: "What is logged: error, warn, info, debug, or such per module",
        file: None,
        kind: Kind::LogFilter,
    },
    Setting {
        path: "log.connections",
        env: "HEARTLINE_LOG_CONNECTIONS",
        flag: Flag::Switch("log-connections", "no-log-connections"),
        help: "Log each login, and each end of a connection with its reason",
        file: None,
        kind: Kind::Switch(|settings| &mut settings.config.connection_log.connections),
    },
    Setting {
        path: "log.addresses",
        env: "HEARTLINE_LOG_ADDRESSES",
        flag: Flag::Switch("log-addresses", "no-log-addresses"),
        help: "Log the remote addresses of connections, also of refused logins",
        file: None,
        kind: Kind::Switch(|settings| &mut settings.config.connection_log.addresses),
    },
];

/// Scheme, host and port, and nothing after: what a browser sends as `Origin`.
fn is_origin(text: &str) -> bool {
    text == "null"
        || text.split_once("://").is_some_and(|(scheme, host)| {
            !scheme.is_empty()
                && !host.is_empty()
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"+-.".contains(&b))
                && host
                    .bytes()
                    .all(|b| b.is_ascii_graphic() && !b"/?#@,*".contains(&b))
        })
}

fn is_event_pattern(text: &str) -> bool {
    !text.is_empty() && text.find('*').is_none_or(|at| at == text.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_name_means_two_settings() {
        let mut seen = HashSet::new();
        for setting in SETTINGS {
            let twin = setting
                .file
                .iter()
                .flat_map(|twin| [twin.env, twin.flag.name()]);
            for name in [setting.path, setting.env]
                .into_iter()
                .chain(
                    [setting.flag.name()]
                        .into_iter()
                        .filter(|flag| *flag != setting.path),
                )
                .chain(twin)
            {
                assert!(seen.insert(name), "{name} is given twice");
            }
        }
    }

    #[test]
    fn every_default_is_within_its_bounds() {
        let settings = Settings::default();
        for setting in SETTINGS {
            if let Kind::Number {
                min, max, get, set, ..
            } = setting.kind
            {
                assert!((min..=max).contains(&get(&settings)), "{}", setting.path);
                let mut changed = settings.clone();
                set(&mut changed, max);
                assert_eq!(
                    get(&changed),
                    max,
                    "{} holds its largest value",
                    setting.path
                );
            }
        }
    }

    #[test]
    fn origins_are_as_browsers_send_them() {
        for good in [
            "https://a.example",
            "http://localhost:5173",
            "http://[::1]:8080",
            "null",
            "capacitor://localhost",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "",
            "a.example",
            "https://",
            "https://a.example/",
            "https://*.example",
            "HTTPS://a",
            "https://u@a",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
