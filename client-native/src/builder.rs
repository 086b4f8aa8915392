//! How a client is made.

use std::sync::Arc;

use heartline_client_core::{Backoff, Config, Input};
use heartline_protocol::{Limits, User, UserError, classic_token, is_device};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;

use crate::Client;
use crate::credentials::{self, Credentials, CredentialsError, CredentialsProvider};
use crate::dial::{self, Endpoint};
use crate::driver::{Durable, Shared};
use crate::positions::PositionStore;
use crate::wire_id::Prefix;

/// Where to connect, as whom, with which numbers. Made by [`Client::builder`].
#[must_use = "call `connect` or `build`"]
pub struct Builder {
    url: String,
    provider: Option<CredentialsProvider>,
    config: Config,
    push_buffer: usize,
    max_message_bytes: usize,
    tls: Option<Arc<ClientConfig>>,
    extra_roots: Vec<CertificateDer<'static>>,
    durable: Option<(String, Box<dyn PositionStore>)>,
    record: Option<usize>,
}

impl Builder {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            provider: None,
            config: Config::default(),
            push_buffer: 1024,
            max_message_bytes: Limits::default().server_message_bytes,
            tls: None,
            extra_roots: Vec::new(),
            durable: None,
            record: None,
        }
    }

    /// Log in as `user` (`ROLE:ID`) with this token.
    pub fn credentials(mut self, user: impl Into<String>, token: impl Into<String>) -> Self {
        self.provider = Some(credentials::fixed(Credentials::new(user, token)));
        self
    }

    /// Log in as `user` (`ROLE:ID`) with the classic token, made from the role's key.
    ///
    /// # Errors
    /// [`UserError`] when `user` is not `ROLE:ID`.
    pub fn classic_credentials(self, user: &str, key: &str) -> Result<Self, UserError> {
        let token = classic_token(User::parse(user)?.id(), key);
        Ok(self.credentials(user, token))
    }

    /// Ask `provider` before each login.
    pub fn credentials_provider<F, Fut>(mut self, provider: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Credentials, CredentialsError>> + Send + 'static,
    {
        self.provider = Some(Arc::new(move || Box::pin(provider())));
        self
    }

    /// All numbers at once. See [`Config`] for what each one means.
    pub fn config(mut self, config: Config) -> Self {
        self.config = config;
        self
    }

    /// Changes some of the numbers: `.configure(|c| c.heartbeat_interval_ms = 60_000)`.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// How long to wait between attempts.
    pub fn backoff(self, backoff: Backoff) -> Self {
        self.configure(|config| config.backoff = backoff)
    }

    /// Ask the server for durable streams, as the device of this name: the same for as long as `positions` lasts, and no other's.
    ///
    /// Stored pushes then come in order, each once, also those that were stored while nobody was connected: handle them with
    /// [`Client::consume`]. A name is 1 to 64 of `A-Z a-z 0-9 . _ -`.
    pub fn durable(mut self, device: impl Into<String>, positions: impl PositionStore) -> Self {
        self.durable = Some((device.into(), Box::new(positions)));
        self
    }

    /// Keeps a record of what the client is told and decides, at most so many calls: [`Client::trace`] gives it. It holds the names of
    /// events, and no address, token or message.
    pub fn record(mut self, calls: usize) -> Self {
        self.record = Some(calls);
        self
    }

    /// How many pushes one subscription may keep unread. 1,024 by default; see [`crate::Pushes`].
    pub fn push_buffer(mut self, pushes: usize) -> Self {
        self.push_buffer = pushes;
        self
    }

    /// The largest message accepted from the server, in bytes. A larger one ends the line.
    pub fn max_message_bytes(mut self, bytes: usize) -> Self {
        self.max_message_bytes = bytes;
        self
    }

    /// TLS settings of your own for `wss`; roots added with [`Builder::extra_root`] are then not used.
    pub fn tls(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Some(config);
        self
    }

    /// Trust this root certificate too, besides Mozilla's.
    pub fn extra_root(mut self, certificate: CertificateDer<'static>) -> Self {
        self.extra_roots.push(certificate);
        self
    }

    /// Makes the client and starts it. Returns at once; [`Client::ready`] waits for the login.
    ///
    /// # Errors
    /// [`BuildError`] when the settings cannot work. A server that is away is no error: the client keeps trying.
    pub fn connect(self) -> Result<Client, BuildError> {
        let client = self.build()?;
        client.start();
        Ok(client)
    }

    /// Makes the client without starting it.
    ///
    /// # Errors
    /// [`BuildError`] when the settings cannot work.
    pub fn build(self) -> Result<Client, BuildError> {
        let runtime = tokio::runtime::Handle::try_current().map_err(|_| BuildError::NoRuntime)?;
        let tls = || match self.tls {
            Some(config) => Ok(config),
            None if self.extra_roots.is_empty() => Ok(dial::default_tls()),
            None => Ok(dial::tls_with_roots(&self.extra_roots)?),
        };
        let endpoint = Endpoint::new(&self.url, tls, self.max_message_bytes)?;
        let mut seed = [0; 4];
        getrandom::fill(&mut seed).map_err(BuildError::NoRandomness)?;
        let prefix = Prefix::random().map_err(BuildError::NoRandomness)?;
        let identity = self.provider.is_some();
        let secrets = (prefix, u32::from_le_bytes(seed));
        let mut positions = Vec::new();
        let mut durable = None;
        if let Some((device, store)) = self.durable {
            if !is_device(&device) {
                return Err(BuildError::Device(device));
            }
            let mut made = Durable::new(device.into(), store);
            positions = made.load().map_err(BuildError::Positions)?;
            durable = Some(made);
        }
        let shared = Shared::new(
            endpoint,
            self.config,
            self.provider,
            (durable, self.record),
            secrets,
            runtime,
        );
        shared.with(|state| state.remember(positions));
        if identity {
            shared.with(|state| {
                // A new client refuses nothing.
                let _ = state.handle(Input::Identity { present: true });
            });
        }
        Ok(Client::new(shared, self.push_buffer))
    }
}

/// Why a client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The address.
    #[error("`{url}` cannot be dialled: {why}")]
    Url {
        /// The address as given, but for what may be a secret in it: user, password and query.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The TLS settings.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The system has no randomness for ids.
    #[error("the system gives no randomness: {0}")]
    NoRandomness(getrandom::Error),
    /// The name of the device.
    #[error("`{0}` names no device: it must be 1 to 64 of A-Z, a-z, 0-9, `.`, `_`, `-`")]
    Device(String),
    /// The positions cannot be loaded.
    #[error("the positions cannot be loaded: {0}")]
    Positions(std::io::Error),
    /// There is no tokio runtime here.
    #[error("a client is made inside a tokio runtime")]
    NoRuntime,
}
