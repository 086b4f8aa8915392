//! What the outside sees of who is online. The hub reports here; nothing here is on the path of a push.
//!
//! Without Redis the hub's registry is all there is, and this room only counts connections. With Redis, a
//! thread of its own mirrors who is logged in to the classic keys (`docs/redis.md`): `picture` is what must
//! be told (pure), `link` speaks to Redis, `lease` is what lets others clean up after a crash, `mirror` is
//! the loop over them. What is done to the keys, atomically, is in `scripts/*.lua`.

mod lease;
mod link;
mod mirror;
mod names;
mod picture;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use heartline_protocol::User;

use crate::config::RedisConfig;
use mirror::Mirror;
pub(crate) use names::RESERVED_ROLES;

/// The number of a connection, unique across every server that shares a Redis: the N of `fd:N`.
///
/// Below 2^53, so that JavaScript and PHP read it exactly: 16 bits of server, 37 bits of counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionNumber(pub u64);

/// A cheap handle to the presence room. No call blocks or fails; what a slow or absent Redis missed is
/// repaired from the handle's own bounded picture of who is logged in.
///
/// The default keeps nothing and tells nobody. When the last clone is dropped without [`Presence::shutdown`],
/// the keys are still removed, but nobody waits for it.
#[derive(Clone, Debug, Default)]
pub struct Presence {
    counter: Arc<AtomicU64>,
    mirror: Option<Arc<Mirror>>,
}

/// Why presence could not start. An unreachable Redis is no reason: that repairs itself.
#[derive(Debug, thiserror::Error)]
pub enum PresenceError {
    /// The URL is not one that the Redis client understands.
    #[error("the Redis URL cannot be used: {0}")]
    Url(String),
    /// The thread, its runtime or the random server number could not be had.
    #[error("presence cannot start: {0}")]
    System(#[from] std::io::Error),
}

impl Presence {
    /// Starts presence; with `redis`, the mirror to it. Returns at once, whether Redis can be reached or not.
    ///
    /// # Errors
    /// When the URL makes no sense, or the system gives no thread.
    pub fn start(redis: Option<&RedisConfig>) -> Result<Self, PresenceError> {
        let mirror = redis.map(Mirror::start).transpose()?.map(Arc::new);
        Ok(Self {
            counter: Arc::default(),
            mirror,
        })
    }

    /// The next connection number of this server.
    pub fn next_number(&self) -> ConnectionNumber {
        // 37 bits last four years at 1,000 connections per second.
        let counter = self.counter.fetch_add(1, Ordering::Relaxed) + 1;
        let server = self
            .mirror
            .as_ref()
            .map_or(0, |mirror| mirror.server_number());
        ConnectionNumber(names::connection(server, counter))
    }

    /// A connection logged in as `user` (again, or as another one than before).
    pub fn login(&self, number: ConnectionNumber, user: &User) {
        if let Some(mirror) = &self.mirror {
            mirror.change(|picture| picture.login(names::counter(number.0), user, Instant::now()));
        }
    }

    /// A logged-in connection sent a client ping.
    pub fn ping(&self, number: ConnectionNumber) {
        if let Some(mirror) = &self.mirror {
            mirror.change(|picture| picture.ping(names::counter(number.0), Instant::now()));
        }
    }

    /// A connection closed, logged in or not.
    pub fn closed(&self, number: ConnectionNumber) {
        if let Some(mirror) = &self.mirror {
            mirror.change(|picture| picture.closed(names::counter(number.0)));
        }
    }

    /// Tells Redis what is still untold, removes everything this server wrote, and gives up its lease. Takes ten
    /// seconds at most: what could not be removed is left to the other servers, or to the next start.
    pub async fn shutdown(&self) {
        if let Some(mirror) = &self.mirror {
            mirror.shutdown().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_redis_connections_are_counted_and_nothing_is_kept() {
        let presence = Presence::default();
        let (one, two) = (presence.next_number(), presence.clone().next_number());
        assert!(one < two);
        presence.login(one, &User::parse("user:6").unwrap());
        presence.closed(one);
    }

    #[test]
    fn a_senseless_url_is_an_error_and_does_not_show_its_password() {
        let redis = RedisConfig {
            url: crate::config::Secret::new("http://:hunter2@nowhere"),
            prefix: String::new(),
        };
        let error = Presence::start(Some(&redis)).unwrap_err().to_string();
        assert!(error.starts_with("the Redis URL cannot be used"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn an_unreachable_redis_is_no_reason_not_to_start() {
        let redis = RedisConfig {
            url: crate::config::Secret::new("redis://127.0.0.1:1"),
            prefix: String::new(),
        };
        let presence = Presence::start(Some(&redis)).unwrap();
        let number = presence.next_number();
        assert!(number.0 < 1 << 53);
        presence.login(number, &User::parse("user:6").unwrap());
        presence.ping(number);
        presence.closed(number);
    }
}
