//! Deliveries of one shard, in order for each connection, in slices, and with as few writes as possible.
//!
//! They are carried out in sweeps over the connections ([`batch`]): several frames for one connection leave in one
//! write and need no queue on the way. A delivery that comes while a sweep is under way joins it for the connections
//! that are still ahead, and waits for the next one with the rest: a burst costs each connection one write, even if
//! its first message was on its way before the second came. A sweep is cut into slices, between which the shard
//! serves reads and pings. A small delivery that concerns nobody in the sweep, nor in anything that waits, does not
//! wait for them.

mod batch;

use super::mailbox::Delivery;
use crate::hub::ConnectionRef;
use batch::{Batch, Part};
use bytes::Bytes;
use std::collections::VecDeque;

/// The deliveries of one shard. Bounded by the server's [`Backlog`](super::Backlog).
#[derive(Debug, Default)]
pub struct FanOut {
    /// For the next sweep.
    waiting: VecDeque<Part>,
    /// Something that waits is for connections ahead of the sweep: nobody may join any more, or would overtake it.
    is_closed: bool,
    /// Small ones that may go before the rest of the sweep.
    express: VecDeque<Delivery>,
    batch: Batch,
}

/// Deliveries in one sweep: bounds what a write to one connection gathers, and what is searched for its next target.
const MAX_BATCH: usize = 256;
/// A delivery with at most so many targets may overtake.
const SMALL: usize = 16;
/// Overtaking is considered while at most so many deliveries are before it (each is searched).
const MAX_SEARCHED: usize = 32;
/// A write costs one unit and one more for each so many bytes.
const BYTES_PER_UNIT: usize = 8 * 1024;

impl FanOut {
    /// Accepts a delivery behind all earlier ones that share a connection with it.
    pub fn push(&mut self, delivery: Delivery) {
        if self.batch.is_done() {
            return self.waiting.push_back(Part::whole(delivery));
        }
        if self.may_overtake(&delivery) {
            return self.express.push_back(delivery);
        }
        let mut part = Part::whole(delivery);
        if !self.is_closed && self.batch.len() < MAX_BATCH {
            let ahead = part.split_off_beyond(self.batch.reached());
            self.batch.join(ahead);
        } else {
            self.is_closed = true;
        }
        if !part.is_empty() {
            self.waiting.push_back(part);
        }
    }

    /// Whether nothing is to be delivered.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.express.is_empty() && self.batch.is_done()
    }

    /// Delivers for about `units` units of cost, one call of `deliver` per connection and sweep. It gets what is due,
    /// in order, and where many get the same also all its frames in one piece.
    pub fn run(
        &mut self,
        mut units: usize,
        mut deliver: impl FnMut(ConnectionRef, &[&Delivery], Option<&Bytes>),
    ) {
        while units > 0 {
            if let Some(delivery) = self.express.pop_front() {
                for target in &delivery.targets {
                    deliver(*target, &[&delivery], None);
                }
                let cost = 1 + delivery.frame.len() / BYTES_PER_UNIT;
                units = units.saturating_sub(delivery.targets.len() * cost);
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
                let count = self.waiting.len().min(MAX_BATCH);
                for part in self.waiting.drain(..count) {
                    self.batch.join(part);
                }
                self.is_closed = !self.waiting.is_empty();
            }
        }
    }

    fn may_overtake(&self, delivery: &Delivery) -> bool {
        let concerned = |target: &ConnectionRef| {
            self.batch.still_has(*target) || self.waiting.iter().any(|part| part.has(*target))
        };
        delivery.targets.len() <= SMALL
            && self.batch.len() + self.waiting.len() <= MAX_SEARCHED
            && !delivery.targets.iter().any(concerned)
    }
}

#[cfg(test)]
mod tests;
