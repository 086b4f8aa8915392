//! Deliveries of one shard, in order for each connection, in slices, and with as few writes as possible.
//!
//! What waits when a batch begins is merged by connection, so that several frames for one connection leave in one
//! write and need no queue on the way. A batch is carried out in slices, between which the shard serves reads
//! and pings. A small delivery that concerns nobody in the running batch, nor in anything that waits, does not
//! wait for them.

use super::mailbox::Delivery;
use crate::hub::ConnectionRef;
use bytes::Bytes;
use std::collections::VecDeque;

/// The deliveries of one shard. Bounded by the server's [`Backlog`](super::Backlog).
#[derive(Debug, Default)]
pub struct FanOut {
    waiting: VecDeque<Delivery>,
    /// Small ones that may go before the rest of the batch.
    express: VecDeque<Delivery>,
    batch: Batch,
}

/// Deliveries merged by connection.
#[derive(Debug, Default)]
struct Batch {
    deliveries: Vec<Delivery>,
    /// Connection and index of a delivery, sorted; empty when there is but one delivery, whose targets are the order.
    merged: Vec<(ConnectionRef, u32)>,
    /// What is done.
    cursor: usize,
}

/// Deliveries in one batch: bounds the merge, and how long a batch holds back the next.
const MAX_BATCH: usize = 256;
/// A delivery with at most so many targets may overtake.
const SMALL: usize = 16;
/// Overtaking is considered while at most so many deliveries wait (each is searched).
const MAX_SEARCHED: usize = 32;
/// A write costs one unit and one more for each so many bytes.
const BYTES_PER_UNIT: usize = 8 * 1024;

impl FanOut {
    /// Accepts a delivery behind all earlier ones that share a connection with it.
    pub fn push(&mut self, delivery: Delivery) {
        if !self.batch.is_done() && self.may_overtake(&delivery) {
            self.express.push_back(delivery);
        } else {
            self.waiting.push_back(delivery);
        }
    }

    /// Whether nothing is to be delivered.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.express.is_empty() && self.batch.is_done()
    }

    /// Delivers for about `units` units of cost, one call of `deliver` per connection and turn.
    pub fn run(&mut self, mut units: usize, mut deliver: impl FnMut(ConnectionRef, &[&Bytes])) {
        while units > 0 {
            if let Some(delivery) = self.express.pop_front() {
                for target in &delivery.targets {
                    deliver(*target, &[&delivery.frame]);
                }
                units = units.saturating_sub(delivery.targets.len() * cost(&delivery.frame));
            } else if !self.batch.is_done() {
                self.batch.run(&mut units, &mut deliver);
                if self.batch.is_done() {
                    // Gives back the memory of a large batch.
                    self.batch = Batch::default();
                }
            } else if self.waiting.is_empty() {
                self.waiting.shrink_to(MAX_BATCH);
                return;
            } else {
                self.batch = Batch::of(
                    self.waiting
                        .drain(..self.waiting.len().min(MAX_BATCH))
                        .collect(),
                );
            }
        }
    }

    fn may_overtake(&self, delivery: &Delivery) -> bool {
        let concerned = |target: &ConnectionRef| {
            self.batch.still_has(*target)
                || self
                    .waiting
                    .iter()
                    .any(|other| other.targets.binary_search(target).is_ok())
        };
        delivery.targets.len() <= SMALL
            && self.waiting.len() <= MAX_SEARCHED
            && !delivery.targets.iter().any(concerned)
    }
}

impl Batch {
    fn of(deliveries: Vec<Delivery>) -> Self {
        let mut merged = Vec::new();
        if deliveries.len() > 1 {
            merged.reserve_exact(
                deliveries
                    .iter()
                    .map(|delivery| delivery.targets.len())
                    .sum(),
            );
            for (index, delivery) in deliveries.iter().enumerate() {
                merged.extend(
                    delivery
                        .targets
                        .iter()
                        .map(|target| (*target, index as u32)),
                );
            }
            // Sorted runs, one per delivery: the stable sort merges them.
            merged.sort();
        }
        Self {
            deliveries,
            merged,
            cursor: 0,
        }
    }

    fn is_done(&self) -> bool {
        match &self.deliveries[..] {
            [] => true,
            [one] => self.cursor >= one.targets.len(),
            _ => self.cursor >= self.merged.len(),
        }
    }

    fn still_has(&self, target: ConnectionRef) -> bool {
        match &self.deliveries[..] {
            [] => false,
            [one] => one.targets[self.cursor..].binary_search(&target).is_ok(),
            _ => self.merged[self.cursor..]
                .binary_search_by_key(&target, |(at, _)| *at)
                .is_ok(),
        }
    }

    fn run(&mut self, units: &mut usize, deliver: &mut impl FnMut(ConnectionRef, &[&Bytes])) {
        if let [one] = &self.deliveries[..] {
            while *units > 0 && self.cursor < one.targets.len() {
                deliver(one.targets[self.cursor], &[&one.frame]);
                self.cursor += 1;
                *units = units.saturating_sub(cost(&one.frame));
            }
            return;
        }
        let mut frames: Vec<&Bytes> = Vec::with_capacity(MAX_BATCH);
        while *units > 0 && self.cursor < self.merged.len() {
            let target = self.merged[self.cursor].0;
            frames.clear();
            while let Some((_, index)) =
                self.merged.get(self.cursor).filter(|(at, _)| *at == target)
            {
                frames.push(&self.deliveries[*index as usize].frame);
                self.cursor += 1;
            }
            deliver(target, &frames);
            let bytes: usize = frames.iter().map(|frame| frame.len()).sum();
            *units = units.saturating_sub(1 + bytes / BYTES_PER_UNIT);
        }
    }
}

fn cost(frame: &Bytes) -> usize {
    1 + frame.len() / BYTES_PER_UNIT
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Backlog;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::sync::Arc;

    /// Slots, each once and in order.
    fn set(slots: &[usize]) -> std::collections::BTreeSet<usize> {
        slots.iter().copied().collect()
    }

    /// Pushes and runs, and tells each delivery as `slot:frames`.
    struct Story {
        fanout: FanOut,
        backlog: Arc<Backlog>,
        told: Vec<String>,
    }

    impl Story {
        fn new() -> Self {
            Self {
                fanout: FanOut::default(),
                backlog: Arc::default(),
                told: Vec::new(),
            }
        }

        fn push(&mut self, frame: impl Into<Bytes>, slots: &[usize]) {
            let targets = set(slots)
                .iter()
                .map(|slot| ConnectionRef::new(0, *slot, 1))
                .collect();
            self.fanout
                .push(Delivery::new(frame.into(), targets, &self.backlog));
        }

        fn run(&mut self, units: usize) {
            self.fanout.run(units, |target, frames| {
                let frames: Vec<_> = frames
                    .iter()
                    .map(|frame| String::from_utf8_lossy(frame))
                    .collect();
                self.told
                    .push(format!("{}:{}", target.slot(), frames.join("+")));
            });
        }
    }

    #[test]
    fn frames_that_wait_together_leave_together() {
        let mut story = Story::new();
        story.push("1", &[1, 2, 3]);
        story.push("2", &[2, 3, 4]);
        story.push("3", &[3]);
        story.run(100);
        assert_eq!(story.told, ["1:1", "2:1+2", "3:1+2+3", "4:2"]);
        assert!(story.fanout.is_idle());
    }

    #[test]
    fn a_large_one_is_cut_and_a_small_one_for_others_goes_before_the_rest() {
        let mut story = Story::new();
        story.push("1", &[1, 2, 3, 4]);
        story.run(2);
        story.push("2", &[9]);
        story.push("3", &[4]);
        story.push("4", &[1]);
        story.run(100);
        assert_eq!(
            story.told,
            ["1:1", "2:1", "9:2", "1:4", "3:1", "4:1", "4:3"]
        );
    }

    #[test]
    fn a_large_frame_costs_more_of_a_slice() {
        let mut story = Story::new();
        let big = Bytes::from(vec![b'x'; 100 * BYTES_PER_UNIT]);
        story.push(big, &[1, 2, 3]);
        story.run(50);
        assert_eq!(story.told.len(), 1);
    }

    proptest! {
        #[test]
        fn every_connection_gets_every_frame_once_and_in_order(
            steps in proptest::collection::vec((proptest::collection::vec(0usize..40, 1..30), 0usize..20), 1..60),
        ) {
            let mut story = Story::new();
            let mut expected: BTreeMap<usize, Vec<String>> = BTreeMap::new();
            for (frame, (slots, units)) in steps.iter().enumerate() {
                for slot in set(slots) {
                    expected.entry(slot).or_default().push(frame.to_string());
                }
                story.push(frame.to_string(), slots);
                story.run(*units);
            }
            while !story.fanout.is_idle() {
                story.run(10);
            }
            let mut received: BTreeMap<usize, Vec<String>> = BTreeMap::new();
            for line in &story.told {
                let (slot, frames) = line.split_once(':').unwrap();
                received.entry(slot.parse().unwrap()).or_default().extend(frames.split('+').map(String::from));
            }
            prop_assert_eq!(received, expected);
            prop_assert!(!story.backlog.is_full());
            prop_assert_eq!(story.backlog.waiting(), (0, 0));
        }
    }
}
