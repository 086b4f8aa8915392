//! The server's settings as values, with their defaults and units. Where they come from (TOML, environment,
//! flags) is the loader's business; what they must satisfy is the checker's.
//!
//! `settings` is the one table of all settings: their names everywhere, their bounds, their places. `load` reads the layers,
//! `value` turns what they say into values, `check` holds the values against one another, `show` prints them.

mod check;
mod load;
mod problem;
mod settings;
mod show;
mod shown;
mod value;

pub use load::{FlagValue, Loaded, Sources, load};
pub use problem::{Problem, Problems};
pub use settings::{FileTwin, Flag, SETTINGS, Setting};
pub use show::effective;
pub(crate) use shown::{escaped, shown_path, text_of};

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

pub use crate::store::Durability;
use crate::store::{EmbeddedStore, Options, Retention, Store, StoreError};
use crate::tls::TlsFiles;

/// Every setting of a server. Durations are in milliseconds, sizes in bytes.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen, for WebSocket and HTTP alike.
    pub listen: SocketAddr,
    /// Role name → key of its classic tokens.
    pub roles: BTreeMap<String, Secret>,
    /// Who may push, and what.
    pub push: PushConfig,
    /// When things happen.
    pub timing: Timing,
    /// What is too much.
    pub limits: ServerLimits,
    /// Browsers' `Origin` values that may connect; empty means any. Requests without `Origin` always may.
    pub allowed_origins: Vec<String>,
    /// Mirror of presence to the classic Redis keys.
    pub redis: Option<RedisConfig>,
    /// The certificate of the port; `None`: it speaks no TLS.
    pub tls: Option<TlsFiles>,
    /// Where pushes are stored that must not be lost.
    pub store: StoreConfig,
    /// Number of connection shards (threads); 0 means one per core.
    pub shards: usize,
    /// Messages of at least so many bytes are compressed for clients that offer permessage-deflate; 0 means never.
    pub deflate_min_bytes: usize,
    /// What is logged of single connections.
    pub connection_log: ConnectionLog,
}

/// What is logged of single connections, beside those that are refused or closed for a fault.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConnectionLog {
    /// Each login, and each end with its reason.
    pub connections: bool,
    /// Their remote addresses, also in the lines about refused logins.
    pub addresses: bool,
}

/// What the binary is told: the server's configuration, and what concerns the process around it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The server's own.
    pub config: Config,
    /// What is logged, and how.
    pub log: LogSettings,
}

impl Default for Settings {
    fn default() -> Self {
        let mut config = Config::default();
        // A library keeps nothing unless it is told to; the binary loses nothing unless it is told to.
        config.store.path = Some(DEFAULT_STORE.into());
        Self {
            config,
            log: LogSettings::default(),
        }
    }
}

/// The folder of the binary's store.
const DEFAULT_STORE: &str = "./heartline-data";

/// What is logged, and how.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Lines for people, or JSON for machines.
    pub format: LogFormat,
    /// `tracing` directives, such as `info` or `info,heartline_server::presence=debug`.
    pub filter: String,
}

/// Lines for people, or JSON for machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// One readable line per event.
    #[default]
    Text,
    /// One JSON object per event.
    Json,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".into(),
        }
    }
}

/// A secret text. `Debug` never shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Who may push, and what.
#[derive(Clone, Debug)]
pub struct PushConfig {
    /// Accepted as `Authorization: Bearer KEY`.
    pub keys: Vec<Secret>,
    /// Accept a push without a key from a program of this machine, until the first sign of a proxy on this machine.
    /// Independent of the keys, which are good from everywhere.
    pub allow_loopback: bool,
    /// A port for pushes alone; then `Config::listen` takes no push without a key. It never speaks TLS.
    pub listen: Option<SocketAddr>,
    /// Allowed events: exact names, or prefixes ending in `*`.
    pub events: Vec<String>,
    /// Classic pushes of these events are stored before they are answered: exact names, or prefixes ending in `*`.
    pub durable_events: Vec<String>,
    /// Largest request body.
    pub max_body_bytes: usize,
}

/// Where pushes are stored that must not be lost, and how long.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// The folder of the embedded store; `None` keeps everything in memory.
    pub path: Option<PathBuf>,
    /// What an answered push survives.
    pub durability: Durability,
    /// A stored push older than this is removed. Milliseconds.
    pub max_age_ms: u64,
    /// Stored pushes of one stream.
    pub max_messages: u64,
    /// Bytes of the stored pushes of one stream.
    pub max_bytes: u64,
    /// Bytes that a store in memory may hold, all streams together.
    pub memory_bytes: u64,
}

impl StoreConfig {
    /// Opens the store.
    ///
    /// # Errors
    /// When the folder or what is in it cannot be used.
    pub fn open(&self) -> Result<Arc<dyn Store>, StoreError> {
        let retention = Retention {
            max_age_ms: self.max_age_ms,
            max_messages: self.max_messages,
            max_bytes: self.max_bytes,
        };
        let entropy = Box::new(|| {
            let mut bytes = [0; 8];
            // The operating system gives randomness, or the server would not have started; a clock will do in its place.
            if getrandom::fill(&mut bytes).is_err() {
                bytes = (std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH))
                    .map_or(1, |since| since.as_nanos() as u64)
                    .to_ne_bytes();
            }
            u64::from_ne_bytes(bytes)
        });
        let options = Options {
            durability: self.durability,
            boot: system_boot(),
            memory_bytes: self.memory_bytes,
            ..Options::new(retention, entropy)
        };
        Ok(Arc::new(match &self.path {
            None => EmbeddedStore::in_memory(options)?,
            Some(path) => EmbeddedStore::open(path, options)?,
        }))
    }
}

/// Tells one start of the operating system from another; `None` where the system does not say.
fn system_boot() -> Option<u64> {
    let uuid = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let digits: String = uuid.chars().filter(char::is_ascii_hexdigit).collect();
    let number = u128::from_str_radix(&digits, 16).ok()?;
    Some((number >> 64) as u64 ^ number as u64)
}

/// When things happen. Milliseconds.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Between two server pings to one connection.
    pub ping_interval_ms: u64,
    /// A connection that has sent nothing for this long is closed (`CloseCode::Idle`).
    pub idle_timeout_ms: u64,
    /// A connection that has not logged in for this long is closed (`CloseCode::LoginDeadline`).
    pub login_deadline_ms: u64,
    /// On SIGTERM, how long connections may take to leave.
    pub drain_window_ms: u64,
}

/// What is too much.
#[derive(Clone, Debug)]
pub struct ServerLimits {
    /// Open connections, all together.
    pub max_connections: usize,
    /// Open connections of one remote address; 0 means no bound (all may come through one proxy).
    pub max_connections_per_address: usize,
    /// Logged-in connections of one user.
    pub max_connections_per_user: usize,
    /// One frame's payload, and one reassembled message.
    pub max_message_bytes: usize,
    /// Frames per second of one connection, in the long run.
    pub frames_per_second: u32,
    /// Frames that one connection may send at once.
    pub frame_burst: u32,
    /// Bytes that may wait for one connection that does not read.
    pub outbound_queue_bytes: usize,
    /// Recipients of one push.
    pub max_recipients: usize,
    /// Bytes of the store that one stored push to several recipients may take: its body, for each of them.
    pub max_push_bytes: u64,
}

/// Mirror of presence to Redis.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `redis://[:password@]host:port/db`.
    pub url: Secret,
    /// Put before every key (Laravel's default is `laravel_database_`).
    pub prefix: String,
}

impl Secret {
    /// Wraps a secret.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself. Never log it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[secret]")
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            roles: BTreeMap::new(),
            push: PushConfig {
                keys: Vec::new(),
                allow_loopback: false,
                listen: None,
                events: vec!["user_tabbar".into(), "chat*".into()],
                durable_events: Vec::new(),
                max_body_bytes: 2 * 1024 * 1024,
            },
            timing: Timing {
                ping_interval_ms: 20_000,
                idle_timeout_ms: 60_000,
                login_deadline_ms: 120_000,
                drain_window_ms: 5_000,
            },
            limits: ServerLimits {
                max_connections: 100_000,
                max_connections_per_address: 0,
                max_connections_per_user: 1_000,
                max_message_bytes: 1024 * 1024,
                frames_per_second: 2_000,
                frame_burst: 120_000,
                // Two of the largest pushes, so that a slow phone survives them.
                outbound_queue_bytes: 4 * 1024 * 1024,
                max_recipients: 100_000,
                // A quarter of a second for a disk that takes 256 MB/s; others wait for as long.
                max_push_bytes: 64 * 1024 * 1024,
            },
            allowed_origins: Vec::new(),
            redis: None,
            tls: None,
            store: StoreConfig {
                path: None,
                durability: Durability::Power,
                max_age_ms: 7 * 24 * 3_600_000,
                max_messages: 10_000,
                max_bytes: 16 * 1024 * 1024,
                memory_bytes: 1024 * 1024 * 1024,
            },
            shards: 0,
            deflate_min_bytes: 0,
            connection_log: ConnectionLog::default(),
        }
    }
}
