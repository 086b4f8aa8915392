//! The one place that wires the rooms: the port, the shards, the hub, presence; and takes them down
//! in order.

use crate::auth::{Port, PushAccess};
use crate::config::Config;
use crate::delivery::{Delivery, Hooks, NoHooks};
use crate::http::{Listening, Site, bind};
use crate::hub::{ConnectionRef, Hub};
use crate::metrics::{Happening, Metrics};
use crate::net::{Backlog, Command, Compression, Mailbox, Manner, Processors, Shard, WAKER, World};
use crate::presence::Presence;
use crate::tls::{Tls, TlsError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle as TaskHandle;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// A running server. Dropped without [`Server::shutdown`] it stops at once, without farewell.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    push_address: Option<SocketAddr>,
    site: Arc<Site>,
    leaving: CancellationToken,
    /// One accept loop for each port.
    accepting: Vec<TaskHandle<()>>,
    shards: Vec<RunningShard>,
}

#[derive(Debug)]
struct RunningShard {
    thread: Option<JoinHandle<()>>,
    /// Closed when the thread has ended.
    ended: oneshot::Receiver<()>,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port cannot be opened.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address wanted.
        address: SocketAddr,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A shard's thread or poll cannot be made.
    #[error("cannot start a shard: {0}")]
    Shard(std::io::Error),
    /// The certificate cannot be used.
    #[error("tls: {0}")]
    Tls(#[from] TlsError),
    /// The store cannot be opened.
    #[error("the store: {0}")]
    Store(#[from] crate::store::StoreError),
    /// Durable delivery has no threads.
    #[error(transparent)]
    Delivery(#[from] crate::delivery::StartError),
    /// The settings of presence cannot be used.
    #[error("presence: {0}")]
    Presence(#[from] crate::presence::PresenceError),
}

/// The least window over which a drain spreads the clients' return.
const MIN_SPREAD_MS: u64 = 1_000;
/// The successor is spared more returning clients per second than this.
const RETURNS_PER_SECOND: u64 = 2_000;

impl Server {
    /// Opens the port and serves, until [`Server::shutdown`]. Must be called within a tokio
    /// runtime.
    ///
    /// ```
    /// # tokio::runtime::Runtime::new().unwrap().block_on(async {
    /// use heartline_server::{Config, Server};
    /// let config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
    /// let server = Server::start(config).await?;
    /// println!("ws://{}/", server.local_addr());
    /// server.shutdown().await;
    /// # Ok::<(), heartline_server::StartError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`StartError`] when the port, a thread, or presence cannot be had.
    pub async fn start(config: Config) -> Result<Self, StartError> {
        Self::start_in(Manner::Classic, config, Arc::new(NoHooks)).await
    }

    /// The same with an application that is told of things.
    ///
    /// # Errors
    /// Those of [`Server::start`].
    pub async fn start_with(config: Config, hooks: Arc<dyn Hooks>) -> Result<Self, StartError> {
        Self::start_in(Manner::Classic, config, hooks).await
    }

    /// A server of the same rooms that gives each WebSocket message back to its sender, for
    /// conformance suites (`examples/echo.rs`). Not part of the library's promise.
    ///
    /// # Errors
    /// Those of [`Server::start`].
    #[doc(hidden)]
    pub async fn start_echo(config: Config) -> Result<Self, StartError> {
        Self::start_in(Manner::Echo, config, Arc::new(NoHooks)).await
    }

    async fn start_in(
        manner: Manner,
        config: Config,
        hooks: Arc<dyn Hooks>,
    ) -> Result<Self, StartError> {
        let (listener, address) = open(config.listen)?;
        let push_port = config.push.listen.map(open).transpose()?;
        let push_address = push_port.as_ref().map(|(_, address)| *address);
        let tls = config.tls.as_ref().map(Tls::load).transpose()?;
        let store = config.store.open()?;
        let presence = Presence::start(config.redis.as_ref())?;

        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let count = if config.shards == 0 {
            cores()
        } else {
            config.shards
        };
        let mut polls = Vec::new();
        let mut mailboxes = Vec::new();
        for _ in 0..count.min(ConnectionRef::MAX_SHARDS) {
            let poll = mio::Poll::new().map_err(StartError::Shard)?;
            let waker = mio::Waker::new(poll.registry(), WAKER).map_err(StartError::Shard)?;
            mailboxes.push(Arc::new(Mailbox::new(waker)));
            polls.push(poll);
        }
        let hub = Arc::new(Hub::new(
            config.limits.max_connections_per_user,
            mailboxes.clone(),
            Arc::new(Backlog::default()),
        ));
        let delivery = Delivery::start(store, hub.clone(), hooks, config.limits.max_push_bytes)?;
        let world = Arc::new(World {
            compression: Compression::new(config.deflate_min_bytes),
            config,
            manner,
            processors: Processors::new(mailboxes.len()),
            hub,
            delivery,
            presence,
            metrics: Metrics::default(),
        });

        let mut shards = Vec::new();
        for (index, (poll, mailbox)) in polls.into_iter().zip(mailboxes).enumerate() {
            // `index` is below MAX_SHARDS, 256.
            let shard = Shard::new(index as u8, poll, mailbox, world.clone());
            shards.push(RunningShard::spawn(index, shard).map_err(StartError::Shard)?);
        }
        let site = Arc::new(Site::new(world, tls));
        let leaving = CancellationToken::new();
        let accept = |port: Port, listener| {
            let listening = Listening {
                listener,
                port,
                site: site.clone(),
                leaving: leaving.clone(),
            };
            tokio::spawn(listening.run())
        };
        let mut accepting = vec![accept(Port::Public, listener)];
        accepting.extend(push_port.map(|(listener, _)| accept(Port::Push, listener)));
        tokio::spawn(log_suppressed(site.clone(), leaving.clone()));
        let store = site.world.config.store.path.as_deref();
        let store = store.map_or("in memory".into(), |path| path.display().to_string());
        let tls = site.tls.is_some();
        tracing::info!(%address, shards = shards.len(), %store, tls, "listening");
        Ok(Self {
            address,
            push_address,
            site,
            leaving,
            accepting,
            shards,
        })
    }

    /// Where the server listens: the port that was chosen, where the settings said 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it takes pushes and nothing else, if it has such a port.
    pub fn push_addr(&self) -> Option<SocketAddr> {
        self.push_address
    }

    /// Who may push.
    pub fn push_access(&self) -> &PushAccess {
        &self.site.push_access
    }

    /// What happened so far.
    pub fn metrics(&self) -> &Metrics {
        &self.site.world.metrics
    }

    /// Reads the certificate and its key again, for connections that come from now on. `false`
    /// where the port does not speak TLS: there is nothing to read.
    ///
    /// # Errors
    /// When they cannot be used; the former ones stay.
    pub fn reload_tls(&self) -> Result<bool, TlsError> {
        let Some(tls) = &self.site.tls else {
            return Ok(false);
        };
        tls.reload().inspect_err(|error| {
            self.metrics().note(Happening::TlsReloadFailed, error);
        })?;
        if let Some(warning) = tls.warning() {
            tracing::warn!("{warning}");
        }
        Ok(true)
    }

    /// Whether the port speaks TLS.
    pub fn speaks_tls(&self) -> bool {
        self.site.tls.is_some()
    }

    /// Leaves in order: no further connection; requests in progress are answered and what they
    /// pushed is delivered; every client is told to come back, each at its own time; all within
    /// `timing.drain_window_ms`.
    pub async fn shutdown(mut self) {
        let window = Duration::from_millis(self.site.world.config.timing.drain_window_ms);
        let deadline = Instant::now() + window;
        let connections = self.metrics().connections();
        tracing::info!(connections, "draining");
        self.leaving.cancel();
        for accepting in &mut self.accepting {
            let _ = accepting.await;
        }
        self.site.tasks.close();
        // Half of the window for requests in progress, so that the other half is left for the
        // farewell.
        if timeout_at(deadline - window / 2, self.site.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!(
                tasks = self.site.tasks.len(),
                "requests are still in progress; leaving them"
            );
        }
        let spread_ms = (connections * 1_000 / RETURNS_PER_SECOND).max(MIN_SPREAD_MS);
        self.tell_shards(|| Command::Drain { spread_ms });
        for shard in &mut self.shards {
            // An error means that the thread has ended, which is what we wait for.
            let _ = timeout_at(deadline, &mut shard.ended).await;
        }
        let left = self.metrics().connections();
        if left > 0 {
            tracing::warn!(
                connections = left,
                "did not leave in time; they are dropped"
            );
        }
        self.tell_shards(|| Command::Stop);
        let threads: Vec<_> = self
            .shards
            .iter_mut()
            .filter_map(|shard| shard.thread.take())
            .collect();
        let world = self.site.world.clone();
        let joined = tokio::task::spawn_blocking(move || {
            threads.into_iter().for_each(|thread| drop(thread.join()));
            world.delivery.shutdown();
        });
        let _ = joined.await;
        self.site.world.presence.shutdown().await;
        self.metrics().log_suppressed(true);
        crate::net::log_suppressed();
        tracing::info!("stopped");
    }

    fn tell_shards(&self, command: impl Fn() -> Command) {
        for shard in self.site.world.hub.shards() {
            shard.post(command());
        }
    }
}

/// Tells once a second how many log lines were suppressed.
async fn log_suppressed(site: Arc<Site>, leaving: CancellationToken) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while leaving.run_until_cancelled(second.tick()).await.is_some() {
        site.world.metrics.log_suppressed(false);
        crate::net::log_suppressed();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.leaving.cancel();
        self.accepting.iter().for_each(TaskHandle::abort);
        self.tell_shards(|| Command::Stop);
    }
}

fn open(wanted: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listen_error = |source| StartError::Listen {
        address: wanted,
        source,
    };
    let listener = bind(wanted).map_err(listen_error)?;
    let address = listener.local_addr().map_err(listen_error)?;
    Ok((listener, address))
}

impl RunningShard {
    fn spawn(index: usize, shard: Shard) -> std::io::Result<Self> {
        let (on_end, ended) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new()
            .name(format!("shard-{index}"))
            .spawn(move || {
                shard.run();
                drop(on_end);
            })?;
        Ok(Self {
            thread: Some(thread),
            ended,
        })
    }
}
