//! The way of a push: recipients → connections → shards. The order in which pushes take the `order` lock is the order
//! in which every device gets them: it is held until each shard's command queue has the push, and those are FIFO.

use super::registry::{ConnectionRef, Registry, TooManyOfUser};
use crate::net::{Backlog, Command, Delivery, Mailbox};
use bytes::Bytes;
use heartline_protocol::User;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The registry and the shards' command queues.
#[derive(Debug)]
pub struct Hub {
    registry: Mutex<Registry>,
    order: Mutex<()>,
    shards: Vec<Arc<Mailbox>>,
    backlog: Arc<Backlog>,
}

/// Deliveries pile up beyond [`Backlog`]'s bound: try again shortly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("deliveries are piling up")]
pub struct Overloaded;

impl Hub {
    /// A hub over these shards; what they have not delivered yet counts in `backlog`.
    pub fn new(max_per_user: usize, shards: Vec<Arc<Mailbox>>, backlog: Arc<Backlog>) -> Self {
        Self {
            registry: Mutex::new(Registry::new(max_per_user)),
            order: Mutex::new(()),
            shards,
            backlog,
        }
    }

    /// See [`Registry::log_in`].
    ///
    /// # Errors
    /// When the user has too many connections.
    pub fn log_in(
        &self,
        connection: ConnectionRef,
        former: Option<&User>,
        user: User,
    ) -> Result<User, TooManyOfUser> {
        self.registry().log_in(connection, former, user)
    }

    /// See [`Registry::leave`].
    pub fn leave(&self, connection: ConnectionRef, user: &User) {
        self.registry().leave(connection, user);
    }

    /// Users with at least one connection.
    pub fn users(&self) -> usize {
        self.registry().users()
    }

    /// Hands `frame` to every connection of `recipients` (each named once) and returns how many there are. When this
    /// returns, no push accepted later can overtake this one on any device.
    ///
    /// # Errors
    /// [`Overloaded`] when the shards are too far behind; then nobody gets it.
    pub fn publish(&self, recipients: &[User], frame: &Bytes) -> Result<usize, Overloaded> {
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        if self.backlog.is_full() {
            return Err(Overloaded);
        }
        let mut targets = Vec::new();
        // Logins wait for a slice of a large push, not for the whole of it.
        for slice in recipients.chunks(LOOKUP_SLICE) {
            let registry = self.registry();
            for user in slice {
                targets.extend_from_slice(registry.connections(user));
            }
        }
        // By shard, then by slot. A connection that changed its user between two slices may be there twice.
        targets.sort_unstable();
        targets.dedup();
        let count = targets.len();
        for of_shard in targets.chunk_by(|a, b| a.shard() == b.shard()) {
            let delivery = Delivery::new(frame.clone(), of_shard.into(), &self.backlog);
            self.shards[of_shard[0].shard()].post(Command::Deliver(delivery));
        }
        Ok(count)
    }

    /// Deliveries and bytes accepted and not yet delivered.
    pub fn backlog(&self) -> (usize, usize) {
        self.backlog.waiting()
    }

    /// The shard with this index (taken modulo their number).
    pub fn shard(&self, index: usize) -> &Mailbox {
        &self.shards[index % self.shards.len()]
    }

    /// All shards.
    pub fn shards(&self) -> &[Arc<Mailbox>] {
        &self.shards
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // Every change of the registry is complete before anything that could panic.
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Recipients looked up under one lock of the registry: about 30 µs.
const LOOKUP_SLICE: usize = 256;
