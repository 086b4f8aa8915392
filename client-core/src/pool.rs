//! The requests that are not settled yet, and their deadlines.
//!
//! Ids only grow, so the pool is a queue sorted by id: a request is found by binary search, and a settled
//! one leaves a gap that is swept up later. Deadlines live in a heap that may hold outdated entries; both
//! structures are swept before more than half of them (and a small constant) is waste. Each operation
//! costs O(log n) amortised, and memory is bounded by twice [`crate::Config::max_requests`] and a constant.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, VecDeque},
};

use crate::{Millis, RequestId};

/// How much waste is left alone.
const SLACK: usize = 64;

/// Where an unsettled request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the outbox.
    Queued,
    /// Handed to the present socket.
    Sent,
}

/// One unsettled request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pending {
    pub(crate) id: RequestId,
    pub(crate) place: Place,
    /// When its present place expires.
    pub(crate) deadline: Millis,
    /// When the caller's own timeout ends; `None` if the caller named none.
    pub(crate) expires: Option<Millis>,
}

/// See the module's page.
#[derive(Default)]
pub(crate) struct Pool {
    /// Sorted by id; `None` in the second place marks a gap.
    slots: VecDeque<(RequestId, Option<Pending>)>,
    live: usize,
    deadlines: BinaryHeap<Reverse<(Millis, RequestId)>>,
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
        self.slots.push_back((pending.id, Some(pending)));
        self.live += 1;
        self.deadlines.push(Reverse((pending.deadline, pending.id)));
        self.sweep();
    }

    pub(crate) fn find(&self, id: RequestId) -> Option<&Pending> {
        let at = self.position(id)?;
        self.slots[at].1.as_ref()
    }

    pub(crate) fn remove(&mut self, id: RequestId) -> Option<Pending> {
        let at = self.position(id)?;
        let pending = self.slots[at].1.take()?;
        self.live -= 1;
        self.sweep();
        Some(pending)
    }

    /// The request leaves the outbox for the socket; its time is up at `default` unless it has its own.
    pub(crate) fn mark_sent(&mut self, id: RequestId, default: Millis) {
        let Some(at) = self.position(id) else { return };
        let Some(pending) = self.slots[at].1.as_mut() else {
            return;
        };
        pending.place = Place::Sent;
        let deadline = pending.expires.unwrap_or(default);
        if deadline != pending.deadline {
            pending.deadline = deadline;
            self.deadlines.push(Reverse((deadline, id)));
        }
        self.sweep();
    }

    /// Removes all requests, or all in that place, oldest first.
    pub(crate) fn take(&mut self, place: Option<Place>) -> Vec<Pending> {
        let mut taken = Vec::new();
        for (_, slot) in &mut self.slots {
            if slot.is_some_and(|p| place.is_none_or(|wanted| p.place == wanted)) {
                taken.extend(slot.take());
            }
        }
        self.live -= taken.len();
        self.sweep();
        taken
    }

    /// Removes one request whose deadline has come.
    pub(crate) fn take_due(&mut self, now: Millis) -> Option<Pending> {
        let &Reverse((at, id)) = self.deadlines.peek()?;
        if at > now { None } else { self.remove(id) }
    }

    /// The earliest deadline.
    pub(crate) fn next_deadline(&self) -> Option<Millis> {
        self.deadlines.peek().map(|Reverse((at, _))| *at)
    }

    fn position(&self, id: RequestId) -> Option<usize> {
        self.slots
            .binary_search_by(|(other, _)| other.cmp(&id))
            .ok()
    }

    /// Restores: the heap's top is in force, and waste is bounded.
    fn sweep(&mut self) {
        if self.slots.len() > 2 * self.live + SLACK {
            self.slots.retain(|(_, slot)| slot.is_some());
        }
        if self.deadlines.len() > 2 * self.live + SLACK {
            self.deadlines.clear();
            self.deadlines.extend(
                self.slots
                    .iter()
                    .filter_map(|(id, slot)| slot.as_ref().map(|p| Reverse((p.deadline, *id)))),
            );
        }
        while let Some(&Reverse((at, id))) = self.deadlines.peek() {
            if self.find(id).is_some_and(|p| p.deadline == at) {
                break;
            }
            self.deadlines.pop();
        }
    }
}
