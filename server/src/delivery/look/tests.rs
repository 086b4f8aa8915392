//! What a page says of itself, and the gap that is told at the beginning.

use super::*;
use crate::store::{EmbeddedStore, Options, Push, Retention, StreamState, Write};

#[test]
fn the_bytes_of_a_page_are_those_of_all_its_texts() {
    let retention = Retention {
        max_age_ms: u64::MAX,
        max_messages: u64::MAX,
        max_bytes: u64::MAX,
    };
    let store = EmbeddedStore::in_memory(Options::new(retention, Box::new(|| 7))).unwrap();
    for (id, text) in [("a", "short"), ("b", "a longer one"), ("c", "x")] {
        let push = Push {
            id: id.into(),
            fingerprint: 1,
            streams: vec!["user:1".into()],
            body: format!(r#"{{"type":"app","text":"{text}"}}"#).into(),
            ttl_ms: None,
            collapse_key: None,
            undelivered_ms: None,
        };
        store
            .commit(1, &[Write::Push(push)])
            .unwrap()
            .remove(0)
            .unwrap();
    }
    let limits = PageLimits {
        messages: 2,
        bytes: usize::MAX,
    };
    let mut texts = Vec::new();
    let facts = read_page(&store, "user:1", Offset(0), limits, 1, |text| {
        texts.push(text.to_owned());
    });
    let facts = facts.unwrap().unwrap();
    let bytes: usize = texts.iter().map(String::len).sum();
    assert_eq!((facts.messages, facts.bytes), (2, bytes));
    assert_eq!((facts.last, facts.through), (Some(Offset(2)), Offset(2)));
    assert_eq!((facts.trimmed, facts.head), (Offset(0), Offset(3)));
}

#[test]
fn a_beginning_tells_its_position_and_both_ends_of_its_gap() {
    let state = StreamState {
        epoch: crate::store::Epoch(7),
        head: Offset(9),
        trimmed: Offset(4),
        messages: 5,
        bytes: 50,
    };
    let told = |epoch, received| {
        let position = Position {
            epoch,
            handled: received,
            received,
        };
        let start = start(&state, Offset(0), Some(&position));
        let mut texts = Vec::new();
        tell_start("user:1", &start, |text| texts.push(text.to_owned()));
        texts
    };
    let attached = |at| encode_attached("user:1", 7, at);
    let gap = |from, to, reason| encode_gap("user:1", 7, from, to, reason);
    use heartline_protocol::GapReason::{Epoch, Retention};
    assert_eq!(told(7, 2), [attached(2), gap(3, 4, Retention)]);
    assert_eq!(told(7, 4), [attached(4)]);
    assert_eq!(told(7, 10), [gap(10, 9, Epoch)]);
    assert_eq!(told(8, 10), [gap(1, 4, Epoch)]);
}
