//! The way of a push: recipients → connections → shards. The order in which pushes take the `order` lock is the order
//! in which every device gets them: it is held until each shard's command queue has the push, and those are FIFO.

use super::registry::{ConnectionRef, Registry, TooManyOfUser};
use crate::net::frame::{self, Deflated};
use crate::net::{Backlog, Command, Delivery, Mailbox};
use crate::store::{Epoch, Offset};
use bytes::Bytes;
use heartline_protocol::{User, append_place, encode_place};
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
        self.post_all(&targets, frame, deflated.map(Deflated::frame), None);
        Ok(count)
    }

    /// [`Self::publish`] for a push that is stored, each recipient once, in the order of the store. Who is attached to a stream
    /// gets the frame that tells the place in it; everybody else gets `frame`. Of both there is a compressed copy where `deflated` is given. It is never refused: whoever is attached would
    /// get it from the store in any case, and what may be under way is bounded by the committer's queue.
    pub fn publish_durable(
        &self,
        places: &[Place],
        text: &[u8],
        frame: &Bytes,
        deflated: Option<&Deflated>,
    ) -> usize {
        let (mut classic, count) = self.post_attached(places, text, deflated);
        classic.sort_unstable();
        classic.dedup();
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        self.post_all(&classic, frame, deflated.map(Deflated::frame), None);
        count + classic.len()
    }

    /// A push that was stored before is asked for again: those who are attached are told of it. Whoever has it drops it; but if its commit
    /// was told to have failed, and had not, they never heard of it. Others get it once only, and so not again.
    pub fn remind(&self, places: &[Place], text: &[u8], deflated: Option<&Deflated>) {
        self.post_attached(places, text, deflated);
    }

    /// Sends it to those who are attached to these streams, and answers who is not, and how many were. It encodes a frame for each
    /// recipient, hundreds of megabytes at worst, and so holds no lock that others wait for: stored pushes come in order because one
    /// thread, the committer's, calls this, and between them and others there is no order (`docs/protocol.md`). It compresses nothing:
    /// what differs from stream to stream is put behind what was compressed before.
    fn post_attached(
        &self,
        places: &[Place],
        text: &[u8],
        deflated: Option<&Deflated>,
    ) -> (Vec<ConnectionRef>, usize) {
        let (mut classic, mut count) = (Vec::new(), 0);
        // What is stored was made by us of text.
        let text = String::from_utf8_lossy(text);
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
                let (stream, offset) = (place.stream.as_str(), place.offset.0);
                let deflated = deflated
                    .filter(|_| targets.iter().any(|at| at.deflates()))
                    .and_then(|deflated| deflated.ending(encode_place(stream, offset).as_bytes()));
                let is_plain = deflated.is_none() || targets.iter().any(|at| !at.deflates());
                let frame = if is_plain {
                    frame::text(append_place(&text, stream, offset).as_bytes())
                } else {
                    Bytes::new()
                };
                self.post_all(&targets, &frame, deflated.as_ref(), Some(place));
            }
        }
        (classic, count)
    }

    /// One frame for sorted connections of any shards; those who take compressed messages get `deflated`, if there is one.
    fn post_all(
        &self,
        targets: &[ConnectionRef],
        frame: &Bytes,
        deflated: Option<&Bytes>,
        place: Option<&Place>,
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
    fn post(&self, frame: &Bytes, targets: Box<[ConnectionRef]>, place: Option<&Place>) {
        if let Some(shard) = targets.first().map(|target| target.shard()) {
            let delivery = Delivery::new(frame.clone(), targets, place, &self.backlog);
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

/// Recipients looked up under one lock of the registry: about 30 µs.
const LOOKUP_SLICE: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::frame::{Deflater, Inflater};
    use mio::{Poll, Token, Waker};

    /// A hub over two mailboxes that nobody empties but the test.
    fn hub() -> (Hub, Vec<Poll>) {
        let polls: Vec<_> = (0..2).map(|_| Poll::new().unwrap()).collect();
        let mailbox =
            |poll: &Poll| Arc::new(Mailbox::new(Waker::new(poll.registry(), Token(0)).unwrap()));
        let mailboxes = polls.iter().map(mailbox).collect();
        (Hub::new(10, mailboxes, Arc::default()), polls)
    }

    fn user(text: &str) -> User {
        User::parse(text).unwrap()
    }

    /// What waits for a shard, as `frame:slots`.
    fn waiting(hub: &Hub, shard: usize) -> Vec<String> {
        let told = |command: Command| match command {
            Command::Deliver(delivery) => {
                let slots: Vec<_> = delivery
                    .targets
                    .iter()
                    .map(|target| target.slot())
                    .collect();
                let frame = match delivery.frame[0] {
                    0xc1 => "packed".into(),
                    _ => String::from_utf8_lossy(&delivery.frame),
                };
                format!("{frame}:{slots:?}")
            }
            other => format!("{other:?}"),
        };
        hub.shard(shard).take().into_iter().map(told).collect()
    }

    #[test]
    fn a_push_goes_once_to_each_shard_that_has_a_recipient() {
        let (hub, _polls) = hub();
        for (shard, slot, name) in [
            (0, 5, "user:1"),
            (0, 3, "user:2"),
            (1, 7, "user:1"),
            (1, 8, "user:3"),
        ] {
            hub.log_in(ConnectionRef::new(shard, slot, 1), None, user(name))
                .unwrap();
        }
        let both = [user("user:1"), user("user:2"), user("user:404")];
        assert_eq!(hub.publish(&both, &Bytes::from_static(b"a"), None), Ok(3));
        assert_eq!(
            hub.publish(&[user("user:3")], &Bytes::from_static(b"b"), None),
            Ok(1)
        );
        assert_eq!(
            hub.publish(&[user("user:404")], &Bytes::from_static(b"c"), None),
            Ok(0)
        );
        assert_eq!(
            hub.backlog(),
            (4, 3),
            "four deliveries of three one-byte frames"
        );
        assert_eq!(waiting(&hub, 0), ["a:[3, 5]"]);
        assert_eq!(waiting(&hub, 1), ["a:[7]", "b:[8]"]);
        assert_eq!(hub.backlog(), (0, 0), "made, or dropped");
    }

    #[test]
    fn what_piles_up_is_refused_until_the_shards_have_caught_up() {
        let (hub, _polls) = hub();
        hub.log_in(ConnectionRef::new(0, 1, 1), None, user("user:1"))
            .unwrap();
        let big = Bytes::from(vec![b'x'; 64 * 1024 * 1024]);
        let mut accepted = 0;
        while hub.publish(&[user("user:1")], &big, None).is_ok() {
            accepted += 1;
        }
        assert_eq!(accepted, 4, "256 MB of frames");
        assert_eq!(hub.publish(&[user("user:1")], &big, None), Err(Overloaded));
        drop(hub.shard(0).take());
        assert_eq!(hub.publish(&[user("user:1")], &big, None), Ok(1));
    }

    #[test]
    fn who_takes_compressed_messages_gets_the_compressed_copy() {
        let (hub, _polls) = hub();
        for (slot, deflates) in [(1, true), (2, false), (3, true)] {
            let at = ConnectionRef::new(0, slot, 1).deflating(deflates);
            hub.log_in(at, None, user("user:1")).unwrap();
        }
        let text = [br#"{"msg":""#, &[b'a'; 300][..], b"\"}"].concat();
        let deflated = Deflater::default().shared(&text).unwrap();
        let plain = Bytes::from_static(b"plain");
        let to = [user("user:1")];
        assert_eq!(hub.publish(&to, &plain, Some(&deflated)), Ok(3));
        assert_eq!(waiting(&hub, 0), ["packed:[1, 3]", "plain:[2]"]);
        assert_eq!(hub.publish(&to, &plain, None), Ok(3));
        assert_eq!(waiting(&hub, 0), ["plain:[1, 2, 3]"]);

        // Those who are attached as well, each stream with its own place.
        for (slot, deflates, name) in [
            (4, true, "user:1"),
            (5, false, "user:1"),
            (6, true, "user:2"),
        ] {
            let at = ConnectionRef::new(0, slot, 1).deflating(deflates);
            hub.log_in(at.reliable(true), None, user(name)).unwrap();
        }
        let place = |name: &str, offset| Place {
            stream: user(name),
            epoch: Epoch(1),
            offset: Offset(offset),
        };
        let places = [place("user:1", 7), place("user:2", 8)];
        let count = hub.publish_durable(&places, &text, &plain, Some(&deflated));
        assert_eq!(count, 6);
        let Some(Command::Deliver(packed)) = hub.shard(0).take().into_iter().next() else {
            panic!("nothing is delivered");
        };
        let (message, end) = (&packed.frame[2..], br#","$hl":["user:1",7]}"#);
        let mut inflater = Inflater::default();
        let message = inflater.message(message, 1_000).unwrap();
        assert_eq!(message, [&text[..text.len() - 1], end].concat());
        assert_eq!(packed.targets.len(), 1);
        assert!(packed.frame.len() < 100, "{} bytes", packed.frame.len());

        hub.publish_durable(&places, &text, &plain, Some(&deflated));
        let kinds = waiting(&hub, 0);
        assert_eq!(kinds.len(), 5, "{kinds:?}");
        assert_eq!([&kinds[0], &kinds[2]], ["packed:[4]", "packed:[6]"]);
        assert!(kinds[1].ends_with(r#"["user:1",7]}:[5]"#), "{}", kinds[1]);
        assert_eq!(kinds[3..], ["packed:[1, 3]", "plain:[2]"]);
    }

    /// A push of 600 MB to attached devices held every other push for as long as its frames were encoded.
    #[test]
    fn found_frames_of_attached_devices_are_encoded_while_other_pushes_go_on() {
        let (hub, _polls) = hub();
        let at = ConnectionRef::new(0, 1, 1).reliable(true);
        let stream = hub.log_in(at, None, user("user:1")).unwrap();
        let place = Place {
            stream,
            epoch: Epoch(1),
            offset: Offset(1),
        };
        let (done, encoded) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let hub = &hub;
            // Another push has its turn.
            let order = hub.order.lock().unwrap();
            scope.spawn(move || {
                hub.remind(&[place], br#"{"event":"chat1"}"#, None);
                done.send(()).unwrap();
            });
            let waited = encoded.recv_timeout(std::time::Duration::from_secs(10));
            drop(order);
            waited.expect("it waits for no other push");
        });
        assert_eq!(waiting(&hub, 0).len(), 1);
    }
}
