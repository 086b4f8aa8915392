//! Two shards on one processor. Woken by the same push, both may be put there while another is idle or has less to do;
//! and the kernel lets the first go on for some milliseconds before the second may so much as read. So shards that
//! deliver say where they are, and give way to one another after each slice as long as they share a processor. Where
//! they do not, giving way would only give their time to other programs.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// Where the shards are that deliver just now.
#[derive(Debug)]
pub struct Processors(Box<[AtomicUsize]>);

/// A shard that delivers nothing.
const NOWHERE: usize = usize::MAX;

impl Processors {
    /// For so many shards.
    pub fn new(shards: usize) -> Self {
        Self((0..shards).map(|_| AtomicUsize::new(NOWHERE)).collect())
    }

    /// A shard has more to deliver: lets another that shares its processor go first.
    pub(super) fn pause(&self, shard: u8) {
        if self.0.len() > 1 && current().is_some_and(|here| self.is_shared(shard, here)) {
            std::thread::yield_now();
        }
    }

    /// A shard has delivered all.
    pub(super) fn leave(&self, shard: u8) {
        if let Some(place) = self.0.get(usize::from(shard)) {
            place.store(NOWHERE, Relaxed);
        }
    }

    fn is_shared(&self, shard: u8, here: usize) -> bool {
        if let Some(place) = self.0.get(usize::from(shard)) {
            place.store(here, Relaxed);
        }
        let others = self.0.iter().enumerate();
        others
            .filter(|(index, _)| *index != usize::from(shard))
            .any(|(_, place)| place.load(Relaxed) == here)
    }
}

#[cfg(target_os = "linux")]
fn current() -> Option<usize> {
    Some(rustix::thread::sched_getcpu())
}

/// Elsewhere it is not known.
#[cfg(not(target_os = "linux"))]
fn current() -> Option<usize> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_that_deliver_on_one_processor_know_of_each_other() {
        let processors = Processors::new(3);
        assert!(!processors.is_shared(0, 5), "nobody else delivers");
        assert!(!processors.is_shared(1, 6));
        assert!(processors.is_shared(2, 5) && processors.is_shared(0, 5));
        assert!(!processors.is_shared(0, 7), "it has been moved");
        assert!(processors.is_shared(0, 5));
        processors.leave(2);
        assert!(!processors.is_shared(0, 5));
        processors.pause(1);
    }
}
