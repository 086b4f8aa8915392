//! The requests that are not settled yet, and their deadlines.
//!
//! Ids only grow, so the pool is a list sorted by id: a request is found by binary search, and a settled one leaves a gap
//! that is swept up later, before more than half of the list (and a small constant) is waste. The earliest deadline is
//! kept; when its request settles, the next is looked for in the whole list. That is linear where a heap would be
//! logarithmic: with 16,000 open requests it adds some 4 µs to a reply in wasm. The heap and its sweeping were 800 bytes of
//! the module. Memory is bounded by twice [`crate::Config::max_requests`] and a constant.

use crate::{
    RequestId,
    clock::{Moment, NEVER},
    outbox::Entry,
};

/// How much waste is left alone.
const SLACK: usize = 64;

/// Where a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the outbox.
    Queued,
    /// Handed to the present socket.
    Sent,
    /// In the outbox again: it was sent, and the line was lost.
    Again,
    /// Settled: a gap to be swept up.
    Settled,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    pub(crate) place: Place,
    /// When its present place expires. [`NEVER`] once it is settled.
    pub(crate) deadline: Moment,
    /// When the caller's own timeout ends; [`NEVER`] if the caller named none.
    pub(crate) expires: Moment,
    /// What the outbox is to know of it, should it go back there; `None`: it is sent once.
    pub(crate) again: Option<Entry>,
}

impl Pending {
    /// Leaves a gap in its place, and answers what was there.
    fn settle(&mut self) -> Self {
        let taken = *self;
        self.place = Place::Settled;
        self.deadline = NEVER;
        taken
    }
}

/// See the module's page.
pub(crate) struct Pool {
    /// Sorted by id.
    slots: Vec<Pending>,
    live: usize,
    earliest: Moment,
}

impl Pool {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            live: 0,
            earliest: NEVER,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Slots in use, waste included.
    pub(crate) fn footprint(&self) -> usize {
        self.slots.len()
    }

    /// Adds a request. Its id must be greater than any added before.
    pub(crate) fn add(&mut self, pending: Pending) {
        if self.slots.len() > 2 * self.live + SLACK {
            self.slots.retain(|pending| pending.place != Place::Settled);
        }
        self.slots.push(pending);
        self.live += 1;
        self.earliest = self.earliest.min(pending.deadline);
    }

    /// Where a request is; one that never was here counts as settled.
    pub(crate) fn place(&mut self, id: RequestId) -> Place {
        self.find(id)
            .map_or(Place::Settled, |pending| pending.place)
    }

    /// Takes a request out, and says where it was. See [`Self::place`].
    pub(crate) fn remove(&mut self, id: RequestId) -> Place {
        let Some(pending) = self.find(id) else {
            return Place::Settled;
        };
        let taken = pending.settle();
        if taken.place != Place::Settled {
            self.live -= 1;
            self.left(taken.deadline);
        }
        taken.place
    }

    /// The request leaves the outbox for the socket; its time is up at `default` unless it has its own.
    pub(crate) fn mark_sent(&mut self, id: RequestId, default: Moment) {
        let Some(pending) = self.find(id) else { return };
        pending.place = Place::Sent;
        let former = pending.deadline;
        pending.deadline = if pending.expires == NEVER {
            default
        } else {
            pending.expires
        };
        let deadline = pending.deadline;
        self.earliest = self.earliest.min(deadline);
        self.left(former);
    }

    /// Sends every request that may be sent twice back to the outbox, oldest first, as far as it takes them.
    pub(crate) fn requeue(&mut self, too_old: Moment, mut takes: impl FnMut(Entry) -> bool) {
        for pending in &mut self.slots {
            if let (Place::Sent, Some(entry)) = (pending.place, pending.again)
                && takes(entry)
            {
                pending.place = Place::Again;
                pending.deadline = pending.expires.min(too_old);
            }
        }
        self.find_earliest();
    }

    /// Takes out every request of which `which` says so, oldest first, one per call: `at` is where to go on, from 0.
    pub(crate) fn take_next(
        &mut self,
        at: &mut usize,
        which: impl Fn(&Pending) -> bool,
    ) -> Option<Pending> {
        while let Some(pending) = self.slots.get_mut(*at) {
            *at += 1;
            if pending.place != Place::Settled && which(pending) {
                self.live -= 1;
                return Some(pending.settle());
            }
        }
        self.find_earliest();
        None
    }

    /// The earliest deadline, or [`NEVER`].
    pub(crate) fn next_deadline(&self) -> Moment {
        self.earliest
    }

    /// The machine's clock was set back.
    pub(crate) fn rebase(&mut self, by: u32) {
        for pending in &mut self.slots {
            pending.deadline = pending.deadline.rebased(by);
            pending.expires = pending.expires.rebased(by);
        }
        self.find_earliest();
    }

    fn find(&mut self, id: RequestId) -> Option<&mut Pending> {
        let at = self.slots.partition_point(|pending| pending.id < id);
        self.slots.get_mut(at).filter(|pending| pending.id == id)
    }

    /// A deadline is in force no longer.
    fn left(&mut self, deadline: Moment) {
        if deadline == self.earliest {
            self.find_earliest();
        }
    }

    fn find_earliest(&mut self) {
        let deadlines = self.slots.iter().map(|pending| pending.deadline);
        self.earliest = deadlines.min().unwrap_or(NEVER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pending(id: usize, deadline: u32) -> Pending {
        Pending {
            id: RequestId(id),
            place: Place::Queued,
            deadline: Moment(deadline),
            expires: NEVER,
            again: None,
        }
    }

    #[test]
    fn waste_is_swept_up_beneath_one_old_request() {
        let mut pool = Pool::new();
        pool.add(pending(1, 5));
        for id in 2..10_000 {
            pool.add(pending(id, 1_000 + id as u32));
            assert_eq!(pool.remove(RequestId(id)), Place::Queued);
            assert_eq!(pool.remove(RequestId(id)), Place::Settled);
            assert!(pool.footprint() <= 3 + SLACK);
        }
        assert_eq!((pool.len(), pool.place(RequestId(1))), (1, Place::Queued));
        assert_eq!(pool.next_deadline(), Moment(5));
    }

    #[test]
    fn the_earliest_deadline_is_always_one_in_force() {
        let mut pool = Pool::new();
        pool.add(pending(1, 10));
        pool.add(pending(2, 20));
        pool.mark_sent(RequestId(1), Moment(30));
        assert_eq!(pool.next_deadline(), Moment(20));
        pool.remove(RequestId(2));
        assert_eq!(pool.next_deadline(), Moment(30));
        let take = |pool: &mut Pool, now| {
            let due = pool.take_next(&mut 0, |p| p.deadline <= Moment(now));
            due.map(|p| p.id)
        };
        assert_eq!(take(&mut pool, 29), None);
        assert_eq!(take(&mut pool, 30), Some(RequestId(1)));
        assert_eq!(take(&mut pool, 30), None);
        assert_eq!((pool.next_deadline(), pool.len()), (NEVER, 0));
    }
}
