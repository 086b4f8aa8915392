//! Who waits to hear that devices have acknowledged a push.

use crate::store::Offset;
use heartline_protocol::User;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering::AcqRel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// The acknowledgements that are waited for. At most [`Waiting::MAX`] in all; the room for a push is taken before it is stored, and
/// given back when its [`Awaited`] is dropped.
#[derive(Debug, Default)]
pub struct Waiting(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    /// By stream; within it by offset and the number of the push that waits.
    by_stream: HashMap<User, BTreeMap<(Offset, u64), Arc<Group>>>,
    /// Room that is taken.
    taken: usize,
    next_push: u64,
}

/// What one push waits for.
#[derive(Debug)]
struct Group {
    left: AtomicUsize,
    is_over: Notify,
}

/// The acknowledgements that one push waits for: the first of each recipient.
#[derive(Debug)]
pub struct Awaited {
    waiting: Arc<Waiting>,
    room: usize,
    push: u64,
    group: Arc<Group>,
    places: Vec<(User, Offset)>,
}

/// Too much is waited for already.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "too many acknowledgements are waited for ({} at most, of all pushes together): try again shortly, or send it with \"wait\":\"stored\"",
    Waiting::MAX
)]
pub struct Crowded;

/// Entries that are entered or taken out under one lock, so that an acknowledgement never waits for thousands.
const SLICE: usize = 512;

impl Waiting {
    /// Acknowledgements that are waited for at the same time.
    pub const MAX: usize = 100_000;

    /// Takes room for the acknowledgements of so many recipients.
    ///
    /// # Errors
    /// At the bound.
    pub fn reserve(self: &Arc<Self>, recipients: usize) -> Result<Awaited, Crowded> {
        let mut table = self.lock();
        if recipients > Self::MAX - table.taken {
            return Err(Crowded);
        }
        table.taken += recipients;
        table.next_push += 1;
        Ok(Awaited {
            waiting: self.clone(),
            room: recipients,
            push: table.next_push,
            group: Arc::new(Group {
                left: AtomicUsize::new(1),
                is_over: Notify::new(),
            }),
            places: Vec::new(),
        })
    }

    /// A device has acknowledged everything up to `offset`.
    pub fn acked(&self, stream: &User, offset: Offset) {
        let mut table = self.lock();
        let Some(waiting) = table.by_stream.get_mut(stream) else {
            return;
        };
        while let Some(first) = waiting.first_entry()
            && first.key().0 <= offset
        {
            first.remove().settle(1);
        }
        if waiting.is_empty() {
            table.by_stream.remove(stream);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        // Each change is whole before anything that could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Group {
    fn settle(&self, count: usize) {
        if self.left.fetch_sub(count, AcqRel) == count {
            self.is_over.notify_one();
        }
    }
}

impl Awaited {
    /// The push is stored at these places, at most as many as there is room for. To be called before any device gets it, and so before
    /// any can acknowledge it.
    pub fn begin(&mut self, places: Vec<(User, Offset)>) {
        debug_assert!(places.len() <= self.room, "room was taken for each");
        // The one it began with keeps it from being over before all are entered.
        self.group.left.fetch_add(places.len(), AcqRel);
        let mut repeated = 0;
        for some in places.chunks(SLICE) {
            let mut table = self.waiting.lock();
            for (stream, offset) in some {
                let of_stream = table.by_stream.entry(stream.clone()).or_default();
                let former = of_stream.insert((*offset, self.push), self.group.clone());
                repeated += usize::from(former.is_some());
            }
        }
        self.places = places;
        self.group.settle(1 + repeated);
    }

    /// Waits for all of them.
    pub async fn all(&self) {
        self.group.is_over.notified().await;
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        for some in self.places.chunks(SLICE) {
            let mut table = self.waiting.lock();
            for (stream, offset) in some {
                if let Some(of_stream) = table.by_stream.get_mut(stream) {
                    of_stream.remove(&(*offset, self.push));
                    if of_stream.is_empty() {
                        table.by_stream.remove(stream);
                    }
                }
            }
        }
        self.waiting.lock().taken -= self.room;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn user(name: &str) -> User {
        User::parse(name).expect("a user")
    }

    fn wait(waiting: &Arc<Waiting>, places: &[(&str, u32)]) -> Awaited {
        let mut awaited = waiting.reserve(places.len()).expect("room");
        let places = places.iter().map(|(name, at)| (user(name), Offset(*at)));
        awaited.begin(places.collect());
        awaited
    }

    fn is_over(awaited: &Awaited) -> bool {
        awaited.all().now_or_never().is_some()
    }

    #[test]
    fn an_acknowledgement_counts_for_all_before_it_and_for_nobody_else() {
        let waiting = Arc::default();
        let three = [3, 4, 5].map(|offset| wait(&waiting, &[("user:1", offset)]));
        let other = wait(&waiting, &[("user:2", 1)]);
        let both = wait(&waiting, &[("user:1", 4), ("user:2", 1), ("user:2", 1)]);
        waiting.acked(&user("user:1"), Offset(4));
        assert_eq!(three.each_ref().map(is_over), [true, true, false]);
        assert!(!is_over(&other) && !is_over(&both));
        waiting.acked(&user("user:2"), Offset(1));
        assert!(is_over(&other) && is_over(&both));
        assert!(is_over(&wait(&waiting, &[])), "nobody to wait for");
        drop((three, other, both));
        let table = waiting.lock();
        assert_eq!((table.taken, table.by_stream.len()), (0, 0));
    }

    /// A full table costs nobody anything: whoever finds it full is told so at once, and room comes back with the push that gives up.
    #[test]
    fn at_the_bound_it_is_refused_and_room_comes_back_at_once() {
        let waiting: Arc<Waiting> = Arc::default();
        let many = (0..Waiting::MAX - 1).map(|n| (user(&format!("user:{n}")), Offset(1)));
        let mut all = waiting.reserve(Waiting::MAX - 1).expect("room");
        all.begin(many.collect());
        assert_eq!(waiting.reserve(2).err(), Some(Crowded));
        let one = waiting.reserve(1).expect("room for one");
        assert_eq!(waiting.reserve(1).err(), Some(Crowded));
        drop(one);
        drop(all);
        assert!(waiting.lock().by_stream.is_empty());
        assert!(waiting.reserve(Waiting::MAX).is_ok());
        assert_eq!(waiting.reserve(Waiting::MAX + 1).err(), Some(Crowded));
    }
}
