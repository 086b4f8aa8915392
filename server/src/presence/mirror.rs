//! The loop that keeps Redis telling what the picture says: one thread, one link, one batch at a
//! time.
//!
//! Up: tell what changed, renew the lease, sweep after crashed servers. Down: try again with
//! backoff, while the server goes on serving. On return: take the lease (again), tell of every live
//! connection, and remove from Redis what our book there names and the picture does not know.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, RedisResult};
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::PresenceError;
use super::lease::{Held, Lease, sweep_page};
use super::link::{LeftAlone, Link};
use super::names::{Names, counter};
use super::picture::Picture;
use crate::config::RedisConfig;

/// The running mirror. Dropping it lets the thread clean up and end by itself.
pub(super) struct Mirror {
    shared: Arc<Shared>,
    done: watch::Receiver<()>,
}

struct Shared {
    picture: Mutex<Picture>,
    /// The picture changed, or the end was asked for.
    wake: Notify,
    ending: AtomicBool,
    server: AtomicU64,
}

impl Mirror {
    pub(super) fn start(config: &RedisConfig) -> Result<Self, PresenceError> {
        // The client's own words may quote the URL, and with it the password.
        let client = Client::open(config.url.expose())
            .map_err(|error| PresenceError::Url(format!("{:?}", error.kind())))?;
        let lease = Lease::draw()?;
        let shared = Arc::new(Shared {
            picture: Mutex::default(),
            wake: Notify::new(),
            ending: AtomicBool::new(false),
            server: AtomicU64::new(lease.server),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let (finished, done) = watch::channel(());
        let keeper = Keeper {
            shared: Arc::clone(&shared),
            address: client.get_connection_info().addr().to_string(),
            client,
            names: Names {
                prefix: config.prefix.clone(),
            },
            lease,
            leased_before: false,
            outage: None,
            reported: HashSet::new(),
            other_servers: HashSet::new(),
        };
        std::thread::Builder::new()
            .name("heartline-presence".into())
            .spawn(move || {
                runtime.block_on(keeper.run());
                drop(finished); // which is what `shutdown` waits for
            })?;
        Ok(Self { shared, done })
    }

    /// Changes the picture, and has Redis told soon.
    pub(super) fn change(&self, change: impl FnOnce(&mut Picture)) {
        change(&mut self.shared.picture());
        self.shared.wake.notify_one();
    }

    pub(super) fn server_number(&self) -> u64 {
        self.shared.server.load(Ordering::Relaxed)
    }

    pub(super) async fn shutdown(&self) {
        self.shared.end();
        // An error is what it says: the thread has dropped the other half, and is done.
        let _ = self.done.clone().changed().await;
    }
}

impl Drop for Mirror {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl std::fmt::Debug for Mirror {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mirror")
            .field("server", &self.server_number())
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn picture(&self) -> MutexGuard<'_, Picture> {
        // Its methods leave it whole at every step that can panic; a poisoned lock must not end
        // presence.
        self.picture.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self) {
        self.ending.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    fn is_ending(&self) -> bool {
        self.ending.load(Ordering::Acquire)
    }
}

/// What the thread owns.
struct Keeper {
    shared: Arc<Shared>,
    client: Client,
    /// Host and port, for logs: without the password.
    address: String,
    names: Names,
    lease: Lease,
    leased_before: bool,
    /// Since when Redis is away.
    outage: Option<Instant>,
    /// Foreign keys that were logged already.
    reported: HashSet<String>,
    /// Other living servers that were warned of.
    other_servers: HashSet<u64>,
}

impl Keeper {
    async fn run(mut self) {
        let mut backoff = FIRST_BACKOFF;
        loop {
            let lost = match Link::open(&self.client).await {
                Ok(mut link) => match self.serve(&mut link).await {
                    Ok(()) => return self.leave(&mut link).await,
                    Err(error) => {
                        backoff = FIRST_BACKOFF;
                        error
                    }
                },
                Err(error) => error,
            };
            self.shared.picture().link_down();
            if self.outage.is_none() {
                self.outage = Some(Instant::now());
                tracing::warn!(redis = %self.address, error = %lost, "Redis is away; serving on, presence keys will be repaired on return");
            }
            let resume = tokio::time::Instant::now() + backoff;
            while !self.shared.is_ending() {
                // Changes wake us too; they wait for the link.
                if tokio::time::timeout_at(resume, self.shared.wake.notified())
                    .await
                    .is_err()
                {
                    break;
                }
            }
            if self.shared.is_ending() {
                tracing::warn!(redis = %self.address, "leaving while Redis is away: presence keys stay until another server sweeps them");
                return;
            }
            backoff = (backoff * 2).min(LAST_BACKOFF);
        }
    }

    /// Keeps Redis up to date until the end is asked for (`Ok`) or the link breaks.
    async fn serve(&mut self, link: &mut Link) -> RedisResult<()> {
        self.take_lease(link).await?;
        let told = self.tell_everything(link).await?;
        match self.outage.take() {
            Some(since) => {
                let away_ms = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
                tracing::info!(redis = %self.address, away_ms, connections = told, "Redis is back; presence keys are repaired");
            }
            None => {
                tracing::info!(redis = %self.address, server = self.lease.server, "presence is mirrored to Redis")
            }
        }
        let mut renew = interval(RENEW_EVERY);
        renew.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sweep = interval(SWEEP_EVERY);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !self.shared.is_ending() {
            tokio::select! {
                biased;
                _ = renew.tick() => self.renew(link).await?,
                _ = sweep.tick() => self.sweep(link).await?,
                () = self.shared.wake.notified() => {
                    if self.tell_batch(link).await? == BATCH {
                        self.shared.wake.notify_one(); // there is more, but the lease has its turn
                    }
                }
            }
        }
        Ok(())
    }

    async fn take_lease(&mut self, link: &mut Link) -> RedisResult<()> {
        self.lease
            .acquire(link, &self.names, !self.leased_before)
            .await?;
        self.leased_before = true;
        self.shared
            .server
            .store(self.lease.server, Ordering::Relaxed);
        Ok(())
    }

    async fn renew(&mut self, link: &mut Link) -> RedisResult<()> {
        match self.lease.renew(link, &self.names).await? {
            Held::Lost => {
                self.take_lease(link).await?;
                let told = self.tell_everything(link).await?;
                tracing::warn!(redis = %self.address, connections = told, "Redis had lost this server's lease; every connection is registered again");
            }
            Held::Yes { connections } => {
                let (expected, hit_bound) = {
                    let picture = self.shared.picture();
                    (picture.settled_count(), picture.wants_comparison())
                };
                if hit_bound || expected.is_some_and(|expected| expected != connections) {
                    let told = self.tell_everything(link).await?;
                    tracing::info!(redis = %self.address, found = connections, connections = told, "Redis and this server disagreed; every connection is registered again");
                }
            }
        }
        Ok(())
    }

    /// Tells of every live connection and removes what the book names beside them. Returns how many
    /// live.
    async fn tell_everything(&mut self, link: &mut Link) -> RedisResult<usize> {
        let live = self.shared.picture().link_up_tell_all();
        // As many as there are now: those that come meanwhile have their turn afterwards.
        for _ in 0..live.div_ceil(BATCH) {
            self.tell_batch(link).await?;
        }
        let book = self.names.book(self.lease.server);
        let mut cursor = 0;
        loop {
            let (next, mut connections) = link.page(&book, cursor).await?;
            {
                let picture = self.shared.picture();
                connections.retain(|n| n.parse().is_ok_and(|n: u64| !picture.knows(counter(n))));
            }
            let left_alone = link.remove(&self.names, &book, None, &connections).await?;
            self.report(left_alone);
            cursor = next;
            if cursor == 0 {
                return Ok(live);
            }
        }
    }

    /// Tells at most [`BATCH`] changes; returns how many.
    async fn tell_batch(&mut self, link: &mut Link) -> RedisResult<usize> {
        let batch = self.shared.picture().take_batch(BATCH);
        let left_alone = link.tell(&self.names, self.lease.server, &batch).await?;
        self.report(left_alone);
        Ok(batch.len())
    }

    /// Cleans up after servers whose lease has ended, and warns of those whose lease lives. The
    /// first sweep is at the start.
    async fn sweep(&mut self, link: &mut Link) -> RedisResult<()> {
        for (server, is_alive) in link.servers(&self.names).await? {
            if server == self.lease.server {
                continue; // where ours has just ended, the next renewal sees to it
            }
            if is_alive {
                self.warn_of_other_server(server);
                continue;
            }
            self.other_servers.remove(&server);
            let (mut cursor, mut removed) = (0, 0);
            loop {
                let (next, count, left_alone) =
                    sweep_page(link, &self.names, server, cursor).await?;
                self.report(left_alone);
                removed += count;
                cursor = next;
                if cursor == 0 || self.shared.is_ending() {
                    break;
                }
                self.renew(link).await?;
                self.tell_batch(link).await?;
            }
            tracing::info!(redis = %self.address, server, connections = removed, "removed what a crashed server left in Redis");
        }
        // What was taken out of turn above may have left more behind than its own wake-up covered.
        self.shared.wake.notify_one();
        Ok(())
    }

    async fn leave(&mut self, link: &mut Link) {
        let leaving = async {
            while self.tell_batch(link).await? > 0 {}
            self.lease.give_up(link, &self.names).await
        };
        match timeout(LEAVE_WITHIN, leaving).await {
            Ok(Ok(left_alone)) => {
                self.report(left_alone);
                tracing::info!(redis = %self.address, "presence keys of this server are removed");
            }
            Ok(Err(error)) => {
                tracing::warn!(redis = %self.address, %error, "presence keys could not be removed; another server will sweep them");
            }
            Err(_) => {
                tracing::warn!(redis = %self.address, "presence keys were not all removed in time; another server will sweep them");
            }
        }
    }

    /// Warns of another living server, once.
    fn warn_of_other_server(&mut self, server: u64) {
        if self.other_servers.len() < MAX_REPORTED && self.other_servers.insert(server) {
            tracing::warn!(
                redis = %self.address,
                server = self.lease.server,
                lease = self.names.lease(server),
                "another server uses this Redis with the same prefix: each delivers pushes to its own connections only, so a push to one does \
                 not reach the devices of the other although it is answered `ok`; run one server for all devices, or end the other one (the \
                 lease of one that crashed ends within 10 s)"
            );
        }
    }

    fn report(&mut self, left_alone: LeftAlone) {
        for key in left_alone {
            if self.reported.len() < MAX_REPORTED && self.reported.insert(key.clone()) {
                tracing::warn!(
                    key,
                    "a key of this name is in use for something else in Redis; it is left alone and presence there is incomplete"
                );
            }
        }
    }
}

/// Changes told in one round trip.
const BATCH: usize = 500;
/// Twice within any [`LEASE_LIFE`](super::link::LEASE_LIFE), and how soon an emptied Redis is
/// noticed.
const RENEW_EVERY: Duration = Duration::from_secs(2);
const SWEEP_EVERY: Duration = Duration::from_secs(5);
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LAST_BACKOFF: Duration = Duration::from_secs(2);
/// Cleaning up at the end takes no longer than this.
const LEAVE_WITHIN: Duration = Duration::from_secs(10);
/// Foreign keys and other servers that are logged, each once; further ones are passed over in
/// silence.
const MAX_REPORTED: usize = 1_000;
