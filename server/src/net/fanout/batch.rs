//! One sweep over a shard's connections, in their order: each gets all that the sweep has for it, in one write.
//!
//! The deliveries of a sweep are merged as it goes, by a heap of their next targets: nothing is sorted or laid out
//! beforehand, so a sweep begins at once however much it carries, and a delivery may join while it is under way.

use super::{BYTES_PER_UNIT, Delivery};
use crate::hub::ConnectionRef;
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::ops::Range;
use std::sync::Arc;

/// The deliveries that a connection got, to be compared with what the next gets.
#[derive(Debug, Default)]
struct Same {
    /// Their indices, in order.
    of: Vec<usize>,
    /// Their frames in one piece, once a second connection got the same.
    joined: Option<Bytes>,
}

/// Frames up to so many bytes are joined: a write of one piece costs the kernel a fifth less than one of sixteen.
const MAX_JOINED: usize = 16 * 1024;

/// Some of a delivery's targets. Two parts of one delivery share it, and it counts until both are done.
#[derive(Debug)]
pub(super) struct Part {
    pub delivery: Arc<Delivery>,
    pub targets: Range<usize>,
}

/// A sweep.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// In the order in which they were accepted.
    deliveries: Vec<Arc<Delivery>>,
    /// What each has left of its targets.
    left: Vec<Range<usize>>,
    /// The next target of each that has one.
    heads: BinaryHeap<Reverse<(ConnectionRef, usize)>>,
    /// How far the sweep has come.
    reached: Option<ConnectionRef>,
    same: Same,
}

impl Part {
    /// A whole delivery.
    pub fn whole(delivery: Delivery) -> Self {
        let targets = 0..delivery.targets.len();
        let delivery = Arc::new(delivery);
        Self { delivery, targets }
    }

    /// Cuts off what lies beyond `reached`.
    pub fn split_off_beyond(&mut self, reached: Option<ConnectionRef>) -> Self {
        let Range { start, end } = self.targets;
        let own = &self.delivery.targets[start..end];
        let cut = start + own.partition_point(|target| Some(*target) <= reached);
        self.targets.end = cut;
        Self {
            delivery: self.delivery.clone(),
            targets: cut..end,
        }
    }

    /// Whether it has nobody left.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Whether it is for this connection, too.
    pub fn has(&self, target: ConnectionRef) -> bool {
        has(&self.delivery, &self.targets, target)
    }
}

impl Batch {
    /// Adds a delivery behind those that are there. All its targets lie beyond [`Self::reached`].
    pub fn join(&mut self, part: Part) {
        if let Some(first) = part.delivery.targets[part.targets.clone()].first() {
            self.heads.push(Reverse((*first, self.deliveries.len())));
            self.deliveries.push(part.delivery);
            self.left.push(part.targets);
        }
    }

    /// The last connection that was served.
    pub fn reached(&self) -> Option<ConnectionRef> {
        self.reached
    }

    /// How many deliveries took part so far.
    pub fn len(&self) -> usize {
        self.deliveries.len()
    }

    /// Whether all is delivered.
    pub fn is_done(&self) -> bool {
        self.heads.is_empty()
    }

    /// Whether something for this connection is still to come.
    pub fn still_has(&self, target: ConnectionRef) -> bool {
        let mut all = self.deliveries.iter().zip(&self.left);
        all.any(|(delivery, left)| has(delivery, left, target))
    }

    /// Goes on for about `units` of cost.
    pub fn run(
        &mut self,
        units: &mut usize,
        deliver: &mut impl FnMut(ConnectionRef, &[&Delivery], Option<&Bytes>),
    ) {
        let mut deliveries: Vec<&Delivery> = Vec::new();
        let mut indices = Vec::new();
        while *units > 0
            && let Some(&Reverse((target, _))) = self.heads.peek()
        {
            deliveries.clear();
            indices.clear();
            let mut bytes = 0;
            // Of equal targets the heap gives the delivery that was accepted first.
            while let Some(mut head) = self.heads.peek_mut()
                && head.0.0 == target
            {
                let Reverse((next, index)) = &mut *head;
                let delivery = &self.deliveries[*index];
                deliveries.push(delivery);
                indices.push(*index);
                bytes += delivery.frame.len();
                let left = &mut self.left[*index];
                left.start += 1;
                if left.start >= left.end {
                    PeekMut::pop(head);
                } else {
                    *next = delivery.targets[left.start];
                }
            }
            let joined = self.same.joined(&mut indices, &deliveries, bytes);
            deliver(target, &deliveries, joined);
            self.reached = Some(target);
            *units = units.saturating_sub(1 + bytes / BYTES_PER_UNIT);
        }
    }
}

impl Same {
    /// The frames of these in one piece, if the connection before got the same.
    fn joined(
        &mut self,
        indices: &mut Vec<usize>,
        deliveries: &[&Delivery],
        bytes: usize,
    ) -> Option<&Bytes> {
        if deliveries.len() == 1 || bytes > MAX_JOINED {
            return None;
        }
        if self.of != *indices {
            std::mem::swap(&mut self.of, indices);
            self.joined = None;
            return None;
        }
        Some(self.joined.get_or_insert_with(|| {
            let mut all = Vec::with_capacity(bytes);
            for delivery in deliveries {
                for piece in delivery.frame.pieces() {
                    all.extend_from_slice(piece.bytes);
                }
            }
            all.into()
        }))
    }
}

fn has(delivery: &Delivery, targets: &Range<usize>, target: ConnectionRef) -> bool {
    delivery.targets[targets.clone()]
        .binary_search(&target)
        .is_ok()
}
