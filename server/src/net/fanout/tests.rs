//! Deliveries of one shard, told as `slot:frames`.

use super::*;
use crate::net::Backlog;
use crate::net::frame::Frame;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Slots, each once and in order.
fn set(slots: &[usize]) -> std::collections::BTreeSet<usize> {
    slots.iter().copied().collect()
}

/// Pushes and runs, and tells each delivery as `slot:frames`, with a `+` between frames.
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

    fn push(&mut self, frame: &str, slots: &[usize]) {
        let frame = format!("{frame}+");
        let targets = set(slots)
            .iter()
            .map(|slot| ConnectionRef::new(0, *slot, 1))
            .collect();
        let frame = Frame::from(Bytes::from(frame));
        self.fanout
            .push(Delivery::new(frame, targets, None, &self.backlog, None));
    }

    fn run(&mut self, units: usize) {
        self.fanout.run(units, |target, deliveries, joined| {
            let frames = deliveries
                .iter()
                .map(|delivery| &delivery.frame.whole().unwrap()[..]);
            let frames = frames.collect::<Vec<_>>().concat();
            assert!(joined.is_none_or(|joined| *joined == frames));
            let text = String::from_utf8_lossy(&frames);
            let text = text.trim_end_matches('+');
            self.told.push(format!("{}:{text}", target.slot()));
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
    assert_eq!(story.told, ["1:1", "2:1", "9:2", "1:4", "3:1", "4:1+3"]);
}

#[test]
fn what_comes_while_a_sweep_is_under_way_joins_it_for_those_ahead() {
    let mut story = Story::new();
    let room: Vec<_> = (1..=20).collect();
    story.push("1", &room);
    story.run(2);
    story.push("2", &room);
    story.run(1);
    story.push("3", &room);
    story.run(100);
    let mut expected = vec!["1:1".to_owned(), "2:1".into(), "3:1+2".into()];
    expected.extend((4..=20).map(|slot| format!("{slot}:1+2+3")));
    expected.extend(["1:2+3", "2:2+3", "3:3"].map(String::from));
    assert_eq!(story.told, expected);
    assert_eq!(story.backlog.waiting(), (0, 0));
}

#[test]
fn nothing_joins_a_sweep_past_what_waits_for_those_ahead() {
    let mut story = Story::new();
    let room: Vec<_> = (1..=20).collect();
    for _ in 0..MAX_BATCH {
        story.push("x", &room);
    }
    story.run(1);
    story.push("y", &room);
    story.push("z", &[20]);
    story.run(100);
    let last: Vec<_> = story
        .told
        .iter()
        .filter(|line| line.starts_with("20:"))
        .collect();
    assert_eq!(last.len(), 2);
    assert_eq!(
        last[1], "20:y+z",
        "the sweep was full; they leave in the next, in order"
    );
}

#[test]
fn a_large_frame_costs_more_of_a_slice() {
    let mut story = Story::new();
    story.push(&"x".repeat(100 * BYTES_PER_UNIT), &[1, 2, 3]);
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
            story.push(&frame.to_string(), slots);
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

#[test]
fn who_gets_the_same_gets_it_in_one_piece_as_long_as_it_is_small() {
    let pieces = |frame: &str| {
        let mut story = Story::new();
        story.push(frame, &[1, 2, 3]);
        story.push(frame, &[1, 2, 3, 4]);
        let mut pieces = Vec::new();
        story
            .fanout
            .run(100, |_, _, joined| pieces.push(joined.is_some()));
        pieces
    };
    assert_eq!(pieces("small"), [false, true, true, false]);
    assert_eq!(pieces(&"x".repeat(16 * 1024)), [false; 4]);
}
