//! The requests that are not settled yet, and their deadlines.
//!
//! Ids only grow, so the pool is a list sorted by id: a request is found by binary search, and a settled
//! one leaves a gap that is swept up later. Deadlines live in a heap that may hold outdated entries; both
//! structures are swept before more than half of them (and a small constant) is waste. Each operation
//! costs O(log n) amortised, and memory is bounded by twice [`crate::Config::max_requests`] and a constant.

use std::{cmp::Reverse, collections::BinaryHeap};

use crate::{
    RequestId,
    clock::{Moment, NEVER},
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
    /// Settled: a gap to be swept up.
    Settled,
}

/// One request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    pub(crate) place: Place,
    /// When its present place expires.
    pub(crate) deadline: Moment,
    /// When the caller's own timeout ends; [`NEVER`] if the caller named none.
    pub(crate) expires: Moment,
}

/// See the module's page.
#[derive(Default)]
pub(crate) struct Pool {
    /// Sorted by id.
    slots: Vec<Pending>,
    live: usize,
    deadlines: BinaryHeap<Reverse<(Moment, RequestId)>>,
}

impl Pool {
    pub(crate) fn len(&self) -> usize {
        self.live
    }

    /// Slots and heap entries in use, waste included.
    pub(crate) fn footprint(&self) -> (usize, usize) {
        (self.slots.len(), self.deadlines.len())
    }

    /// Adds a request. Its id must be greater than any added before.
    pub(crate) fn add(&mut self, pending: Pending) {
        self.slots.push(pending);
        self.live += 1;
        self.note(pending);
        self.sweep();
    }

    /// Where a request is; one that never was here counts as settled.
    pub(crate) fn place(&self, id: RequestId) -> Place {
        self.position(id)
            .map_or(Place::Settled, |at| self.slots[at].place)
    }

    /// Takes a request out, and says where it was. See [`Self::place`].
    pub(crate) fn remove(&mut self, id: RequestId) -> Place {
        let Some(at) = self.position(id) else {
            return Place::Settled;
        };
        let place = std::mem::replace(&mut self.slots[at].place, Place::Settled);
        if place != Place::Settled {
            self.live -= 1;
            self.sweep();
        }
        place
    }

    /// The request leaves the outbox for the socket; its time is up at `default` unless it has its own.
    pub(crate) fn mark_sent(&mut self, id: RequestId, default: Moment) {
        let Some(at) = self.position(id) else { return };
        let pending = &mut self.slots[at];
        pending.place = Place::Sent;
        pending.deadline = if pending.expires == NEVER {
            default
        } else {
            pending.expires
        };
        let pending = *pending;
        self.note(pending);
        self.sweep();
    }

    /// Takes out every request that is in this place, oldest first.
    pub(crate) fn take_all(&mut self, place: Place) -> Vec<RequestId> {
        let mut taken = Vec::new();
        for pending in &mut self.slots {
            if pending.place == place {
                pending.place = Place::Settled;
                taken.push(pending.id);
            }
        }
        self.live -= taken.len();
        self.sweep();
        taken
    }

    /// Takes out one request whose deadline has come, as it was.
    pub(crate) fn take_due(&mut self, now: Moment) -> Option<Pending> {
        let &Reverse((at, id)) = self.deadlines.peek()?;
        if at > now {
            return None;
        }
        let pending = self.slots[self.position(id)?];
        self.remove(id);
        Some(pending)
    }

    /// The earliest deadline, or [`NEVER`].
    pub(crate) fn next_deadline(&self) -> Moment {
        self.deadlines.peek().map_or(NEVER, |Reverse((at, _))| *at)
    }

    fn position(&self, id: RequestId) -> Option<usize> {
        let at = self.slots.partition_point(|pending| pending.id < id);
        (at < self.slots.len() && self.slots[at].id == id).then_some(at)
    }

    #[inline(never)] // One copy of the heap's code is enough for wasm.
    fn note(&mut self, pending: Pending) {
        self.deadlines.push(Reverse((pending.deadline, pending.id)));
    }

    fn note_all(&mut self) {
        self.deadlines.clear();
        for at in 0..self.slots.len() {
            if self.slots[at].place != Place::Settled {
                self.note(self.slots[at]);
            }
        }
    }

    /// The machine's clock was set back.
    pub(crate) fn rebase(&mut self, by: u32) {
        for pending in &mut self.slots {
            pending.deadline = pending.deadline.rebased(by);
            pending.expires = pending.expires.rebased(by);
        }
        self.note_all();
    }

    /// Restores: the heap's top is in force, and waste is bounded.
    fn sweep(&mut self) {
        if self.slots.len() > 2 * self.live + SLACK {
            self.slots.retain(|pending| pending.place != Place::Settled);
        }
        if self.deadlines.len() > 2 * self.live + SLACK {
            self.note_all();
        }
        while let Some(&Reverse(entry)) = self.deadlines.peek()
            && !self.is_in_force(entry)
        {
            self.deadlines.pop();
        }
    }

    fn is_in_force(&self, (at, id): (Moment, RequestId)) -> bool {
        self.position(id).is_some_and(|slot| {
            let pending = &self.slots[slot];
            pending.place != Place::Settled && pending.deadline == at
        })
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
        }
    }

    #[test]
    fn waste_is_swept_up_beneath_one_old_request() {
        let mut pool = Pool::default();
        pool.add(pending(1, 5));
        for id in 2..10_000 {
            pool.add(pending(id, 1_000 + id as u32));
            assert_eq!(pool.remove(RequestId(id)), Place::Queued);
            assert_eq!(pool.remove(RequestId(id)), Place::Settled);
            let (slots, deadlines) = pool.footprint();
            assert!(slots <= 2 + SLACK && deadlines <= 2 + SLACK);
        }
        assert_eq!((pool.len(), pool.place(RequestId(1))), (1, Place::Queued));
        assert_eq!(pool.next_deadline(), Moment(5));
    }

    #[test]
    fn the_earliest_deadline_is_always_one_in_force() {
        let mut pool = Pool::default();
        pool.add(pending(1, 10));
        pool.add(pending(2, 20));
        pool.mark_sent(RequestId(1), Moment(30));
        assert_eq!(pool.next_deadline(), Moment(20));
        pool.remove(RequestId(2));
        assert_eq!(pool.next_deadline(), Moment(30));
        assert!(pool.take_due(Moment(29)).is_none());
        assert_eq!(pool.take_due(Moment(30)).map(|p| p.id), Some(RequestId(1)));
        assert_eq!(pool.next_deadline(), NEVER);
    }
}
