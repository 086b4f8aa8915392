//! What is going to happen, and when: the fake clock's calendar.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Events by time; those of one instant in the order in which they were put in.
#[derive(Debug)]
pub struct Queue<E> {
    entries: BinaryHeap<Entry<E>>,
    count: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Reverse<(u64, u64)>,
    event: E,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self {
            entries: BinaryHeap::new(),
            count: 0,
        }
    }
}

impl<E> Queue<E> {
    /// Has an event happen then.
    pub fn put(&mut self, at_ms: u64, event: E) {
        self.count += 1;
        self.entries.push(Entry {
            at: Reverse((at_ms, self.count)),
            event,
        });
    }

    /// The next event, and when it happens.
    pub fn pop(&mut self) -> Option<(u64, E)> {
        let Entry {
            at: Reverse((at_ms, _)),
            event,
        } = self.entries.pop()?;
        Some((at_ms, event))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.at == other.at
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at.cmp(&other.at)
    }
}
