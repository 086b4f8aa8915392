//! Time for many connections without a timer each: a cursor walks the slab so that each entry is visited once per
//! pass, and a pass is a small part of the shortest interval. Pings and deadlines are late by at most one pass.

use crate::config::Timing;
use std::ops::Range;

/// The cursor over one shard's slab.
#[derive(Debug)]
pub(super) struct Sweep {
    tick_ms: u64,
    next_tick_ms: u64,
    cursor: usize,
    /// Slots still to visit for the ticks that have come.
    owed: usize,
}

/// Ticks per pass.
const TICKS: u64 = 16;
/// The longest pass.
const MAX_PASS_MS: u64 = 1_000;
/// Slots visited at once; the rest waits until the shard has served its events.
const SLICE: usize = 1_024;

impl Sweep {
    /// A sweep fine enough for these intervals.
    pub fn new(timing: &Timing) -> Self {
        let shortest = timing
            .ping_interval_ms
            .min(timing.idle_timeout_ms)
            .min(timing.login_deadline_ms);
        let pass_ms = (shortest / 10).min(MAX_PASS_MS);
        Self {
            tick_ms: (pass_ms / TICKS).max(2),
            next_tick_ms: 0,
            cursor: 0,
            owed: 0,
        }
    }

    /// Milliseconds until there is something to visit.
    pub fn due_in_ms(&self, now_ms: u64) -> u64 {
        if self.owed > 0 {
            0
        } else {
            self.next_tick_ms.saturating_sub(now_ms)
        }
    }

    /// The slots to visit now, out of `slots`.
    pub fn next_slice(&mut self, now_ms: u64, slots: usize) -> Range<usize> {
        if now_ms >= self.next_tick_ms {
            let missed = (now_ms - self.next_tick_ms) / self.tick_ms;
            let ticks = (missed + 1).min(TICKS) as usize;
            self.next_tick_ms = now_ms + self.tick_ms;
            self.owed = (self.owed + ticks * slots.div_ceil(TICKS as usize)).min(slots);
        }
        if self.cursor >= slots {
            self.cursor = 0;
        }
        let end = slots.min(self.cursor + self.owed.min(SLICE));
        let slice = self.cursor..end;
        self.owed -= slice.len();
        self.cursor = end;
        slice
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_slot_is_visited_about_once_per_pass() {
        for slots in [1, 7, 16, 1000, 20_000] {
            let mut sweep = Sweep::new(&crate::config::Config::default().timing);
            let mut visits = vec![0; slots];
            for now_ms in 0..10_000 {
                for slot in sweep.next_slice(now_ms, slots) {
                    visits[slot] += 1;
                }
            }
            let (least, most) = (visits.iter().min().unwrap(), visits.iter().max().unwrap());
            assert!(
                *least >= 8 && *most <= 17 * 11,
                "{slots} slots: {least} to {most} visits in 10 s"
            );
        }
    }

    #[test]
    fn a_stalled_shard_catches_up_once_and_not_for_every_missed_pass() {
        let mut sweep = Sweep::new(&crate::config::Config::default().timing);
        sweep.next_slice(0, 100);
        let mut visited = 0;
        loop {
            let slice = sweep.next_slice(3_600_000, 100);
            if slice.is_empty() {
                break;
            }
            visited += slice.len();
        }
        assert!((93..=100).contains(&visited), "{visited}");
    }
}
