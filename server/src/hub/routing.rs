//! The way of a push: recipients → connections → shards. The order in which pushes take the `order` lock is the order
//! in which every device gets them: it is held until each shard's command queue has the push, and those are FIFO.

use super::registry::{ConnectionRef, Registry, TooManyOfUser};
use crate::net::frame::{Deflated, Frame};
use crate::net::{Backlog, Command, Delivery, Mailbox, SharedBytes};
use crate::store::{Epoch, Offset};
use bytes::Bytes;
use heartline_protocol::{User, encode_place};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The registry and the shards' command queues.
#[derive(Debug)]
pub struct Hub {
    registry: Mutex<Registry>,
    order: Mutex<()>,
    shards: Vec<Arc<Mailbox>>,
    backlog: Arc<Backlog>,
}

/// Where a stored push stands in the stream of one of its recipients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Whose stream.
    pub stream: User,
    /// The stream's epoch.
    pub epoch: Epoch,
    /// The push's offset there.
    pub offset: Offset,
}

/// Deliveries that shards have not made yet pile up beyond their bound: try again shortly.
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
        former: Option<(ConnectionRef, &User)>,
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
    /// returns, no push accepted later can overtake this one on any device. Those who take compressed messages get
    /// `deflated` instead, where it is given.
    ///
    /// # Errors
    /// [`Overloaded`] when the shards are too far behind; then nobody gets it.
    pub fn publish(
        &self,
        recipients: &[User],
        frame: &Bytes,
        deflated: Option<&Deflated>,
    ) -> Result<usize, Overloaded> {
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
        // By shard, then by slot. A connection that changed its user between two slices is there under two logins, of which the
        // former matches nobody any more.
        targets.sort_unstable();
        targets.dedup();
        let count = targets.len();
        let (frame, deflated) = (frame.clone().into(), deflated.map(whole));
        self.post_all(&targets, &frame, deflated.as_ref(), None);
        Ok(count)
    }

    /// [`Self::publish`] for a push that is stored, each recipient once, in the order of the store. Who is attached to a stream
    /// gets the frame that tells the place in it; everybody else gets `frame`. Of both there is a compressed copy where `deflated` is given. It is never refused: whoever is attached would
    /// get it from the store in any case, and what may be under way is bounded by the committer's queue.
    pub fn publish_durable(
        &self,
        places: &[Place],
        text: &Bytes,
        frame: &Bytes,
        deflated: Option<&Deflated>,
    ) -> usize {
        let (mut classic, count) = self.post_attached(places, text, deflated);
        classic.sort_unstable();
        classic.dedup();
        let (frame, deflated) = (frame.clone().into(), deflated.map(whole));
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        self.post_all(&classic, &frame, deflated.as_ref(), None);
        count + classic.len()
    }

    /// A push that was stored before is asked for again: those who are attached are told of it. Whoever has it drops it; but if its commit
    /// was told to have failed, and had not, they never heard of it. Others get it once only, and so not again.
    pub fn remind(&self, places: &[Place], text: &Bytes, deflated: Option<&Deflated>) {
        self.post_attached(places, text, deflated);
    }

    /// Sends it to those who are attached to these streams, and answers who is not, and how many were. It makes a frame for each
    /// recipient, and so holds no lock that others wait for: stored pushes come in order because one thread, the committer's, calls
    /// this, and between them and others there is no order (`docs/protocol.md`). Large frames share the text, and so cost no more than
    /// small ones. It compresses nothing: what differs from stream to stream is put behind what was compressed before.
    fn post_attached(
        &self,
        places: &[Place],
        text: &Bytes,
        deflated: Option<&Deflated>,
    ) -> (Vec<ConnectionRef>, usize) {
        let (mut classic, mut count) = (Vec::new(), 0);
        let open = text.trim_ascii_end();
        let open = text.slice_ref(open.strip_suffix(b"}").unwrap_or(open));
        let kinds = [open.len(), deflated.map_or(0, Deflated::shared_len)];
        let shared = kinds.iter().filter(|len| **len >= Frame::SHARED_FROM).sum();
        // Small frames share nothing, and each counts for itself.
        let shared = (shared > 0).then(|| SharedBytes::new(shared, &self.backlog));
        for slice in places.chunks(LOOKUP_SLICE) {
            let mut attached: Vec<(&Place, Box<[ConnectionRef]>)> = Vec::new();
            {
                let registry = self.registry();
                for place in slice {
                    let all = registry.connections(&place.stream);
                    classic.extend(all.iter().filter(|at| !at.is_reliable()));
                    let reliable: Box<[_]> =
                        all.iter().copied().filter(|at| at.is_reliable()).collect();
                    if !reliable.is_empty() {
                        attached.push((place, reliable));
                    }
                }
            }
            for (place, mut targets) in attached {
                targets.sort_unstable();
                count += targets.len();
                let end = encode_place(place.stream.as_str(), place.offset.0);
                let deflated = deflated
                    .filter(|_| targets.iter().any(|at| at.deflates()))
                    .and_then(|deflated| deflated.ending(end.as_bytes()));
                let is_plain = deflated.is_none() || targets.iter().any(|at| !at.deflates());
                let frame = if is_plain {
                    Frame::text(&open, end.as_bytes())
                } else {
                    Bytes::new().into()
                };
                self.post_all(
                    &targets,
                    &frame,
                    deflated.as_ref(),
                    Some((place, shared.as_ref())),
                );
            }
        }
        (classic, count)
    }

    /// One frame for sorted connections of any shards; those who take compressed messages get `deflated`, if there is one.
    fn post_all(
        &self,
        targets: &[ConnectionRef],
        frame: &Frame,
        deflated: Option<&Frame>,
        place: Option<(&Place, Option<&Arc<SharedBytes>>)>,
    ) {
        for of_shard in targets.chunk_by(|a, b| a.shard() == b.shard()) {
            let Some(deflated) = deflated else {
                self.post(frame, of_shard.into(), place);
                continue;
            };
            let (some, others): (Vec<_>, Vec<_>) =
                of_shard.iter().partition(|target| target.deflates());
            self.post(deflated, some.into(), place);
            self.post(frame, others.into(), place);
        }
    }

    /// One frame for connections of one shard.
    fn post(
        &self,
        frame: &Frame,
        targets: Box<[ConnectionRef]>,
        place: Option<(&Place, Option<&Arc<SharedBytes>>)>,
    ) {
        if let Some(shard) = targets.first().map(|target| target.shard()) {
            let (place, shared) = place.unzip();
            let (frame, backlog) = (frame.clone(), &self.backlog);
            let delivery = Delivery::new(frame, targets, place, backlog, shared.flatten());
            self.shards[shard].post(Command::Deliver(delivery));
        }
    }

    /// The connections of these users that are attached to their streams, by shard.
    pub fn attached(&self, users: &[User]) -> Vec<(usize, Vec<ConnectionRef>)> {
        let mut found = Vec::new();
        for slice in users.chunks(LOOKUP_SLICE) {
            let registry = self.registry();
            for user in slice {
                let all = registry.connections(user).iter();
                found.extend(all.copied().filter(|at| at.is_reliable()));
            }
        }
        found.sort_unstable();
        found
            .chunk_by(|a, b| a.shard() == b.shard())
            .map(|of_shard| (of_shard[0].shard(), of_shard.to_vec()))
            .collect()
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

/// The frame of a compressed message.
fn whole(deflated: &Deflated) -> Frame {
    deflated.frame().clone().into()
}

/// Recipients looked up under one lock of the registry: about 30 µs.
const LOOKUP_SLICE: usize = 256;

#[cfg(test)]
mod tests;
