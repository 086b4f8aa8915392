//! What retention does one below, at, and one above each of its limits, and how keys and times to live meet.

use super::*;

/// A push of so many bytes to `user:1`.
fn put(store: &EmbeddedStore, now_ms: u64, id: &str, bytes: usize) {
    let push = push(id, &["user:1"], &"x".repeat(bytes));
    write(store, now_ms, Write::Push(push)).unwrap();
}

/// One with a key, which may expire.
fn put_key(store: &EmbeddedStore, now_ms: u64, id: &str, ttl_ms: Option<u64>) {
    let mut push = push(id, &["user:1"], "{}");
    push.collapse_key = Some("badge".into());
    push.ttl_ms = ttl_ms;
    write(store, now_ms, Write::Push(push)).unwrap();
}

/// What the stream has: messages, bytes, and the last that was removed.
fn state(store: &EmbeddedStore) -> (u64, u64, u32) {
    let stream = store.stream("user:1").unwrap().unwrap();
    (stream.messages, stream.bytes, stream.trimmed.0)
}

#[test]
fn as_many_as_may_be_are_kept_and_one_more_takes_one() {
    let three = Retention {
        max_messages: 3,
        ..ALL
    };
    everywhere(three, |store| {
        for id in ["a", "b", "c"] {
            put(store, 1, id, 2);
        }
        assert_eq!(state(store), (3, 6, 0));
        put(store, 1, "d", 2);
        assert_eq!(state(store), (3, 6, 1));
        assert_eq!(read(store, 0, 9, 1), (vec![2, 3, 4], 4));
    });
}

#[test]
fn as_many_bytes_as_may_be_are_kept_and_one_more_takes_one() {
    let hundred = Retention {
        max_bytes: 100,
        ..ALL
    };
    everywhere(hundred, |store| {
        put(store, 1, "a", 60);
        put(store, 1, "b", 40);
        assert_eq!(state(store), (2, 100, 0));
        put(store, 1, "c", 1);
        assert_eq!(state(store), (2, 41, 1));
    });
}

#[test]
fn what_is_as_old_as_may_be_is_kept_for_another_millisecond() {
    let brief = Retention {
        max_age_ms: 1_000,
        ..ALL
    };
    everywhere(brief, |store| {
        put(store, 10, "a", 2);
        put(store, 11, "b", 2);
        assert_eq!(store.trim(1_010, 100).unwrap(), Trimmed::default());
        assert_eq!(state(store), (2, 4, 0));
        let done = store.trim(1_011, 100).unwrap();
        assert_eq!((done.messages, done.pushes), (1, 1));
        assert_eq!(state(store), (1, 2, 1));
        assert!(store.push("a").unwrap().is_none());
        assert!(store.push("b").unwrap().is_some());
    });
}

#[test]
fn what_has_just_expired_at_the_front_is_no_gap_and_what_has_not_is_one() {
    let one = Retention {
        max_messages: 1,
        ..ALL
    };
    for (now_ms, trimmed) in [(149, 1), (150, 0)] {
        everywhere(one, |store| {
            put_key(store, 100, "a", Some(50));
            put(store, now_ms, "b", 2);
            assert_eq!(state(store), (1, 2, trimmed), "at {now_ms}");
        });
    }
}

#[test]
fn a_device_is_known_for_as_long_as_it_may_be_silent() {
    everywhere(ALL, |store| {
        register(store, "user:1", "phone", 5);
        let until_ms = 5 + Retention::DEVICE_MS;
        store.trim(until_ms, 100).unwrap();
        assert!(store.device("user:1", "phone").unwrap().is_some());
        store.trim(until_ms + 1, 100).unwrap();
        assert!(store.device("user:1", "phone").unwrap().is_none());
    });
}

#[test]
fn each_of_a_key_replaces_the_one_before_it() {
    everywhere(ALL, |store| {
        for (id, offset) in [("a", 1), ("b", 2), ("c", 3), ("d", 4)] {
            put_key(store, 1, id, None);
            assert_eq!(read(store, 0, 9, 1), (vec![offset], offset));
            assert_eq!(state(store), (1, 2, 0));
        }
    });
}

#[test]
fn the_time_to_live_of_what_was_replaced_ends_with_it() {
    everywhere(ALL, |store| {
        put_key(store, 100, "a", Some(50));
        put_key(store, 120, "b", None);
        assert_eq!(store.trim(150, 100).unwrap(), Trimmed::default());
        assert_eq!(read(store, 0, 9, 150), (vec![2], 2));
        // The one that lives on still is the latest of its key.
        put_key(store, 160, "c", Some(50));
        assert_eq!(read(store, 0, 9, 209), (vec![3], 3));
        assert_eq!(state(store), (1, 2, 0));
        assert_eq!(store.trim(210, 100).unwrap().messages, 1);
        assert_eq!(state(store), (0, 0, 0));
        // Of one that expired nothing is left to be replaced.
        put_key(store, 220, "d", None);
        put_key(store, 230, "e", None);
        assert_eq!(read(store, 0, 9, 230), (vec![5], 5));
        assert_eq!(state(store), (1, 2, 0));
    });
}
