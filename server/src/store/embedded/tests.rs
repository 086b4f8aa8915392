//! The promise, held against the store in memory, in a folder, and on a disk that crashes.

use super::*;
use crate::store::{Durability, Epoch, Push, Retention};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

mod borders;
mod damage;
mod disk;
mod model;
mod runs;

const ALL: Retention = Retention {
    max_age_ms: u64::MAX,
    max_messages: u64::MAX,
    max_bytes: u64::MAX,
};

fn options(retention: Retention) -> Options {
    let next = Arc::new(AtomicU64::new(100));
    Options::new(retention, Box::new(move || next.fetch_add(1, Relaxed)))
}

/// Runs a story in memory, in a folder, and on a crash disk.
fn everywhere(retention: Retention, story: impl Fn(&EmbeddedStore)) {
    story(&EmbeddedStore::in_memory(options(retention)).unwrap());
    let folder = tempfile::tempdir().unwrap();
    for durability in [Durability::Power, Durability::Process] {
        let options = Options {
            durability,
            ..options(retention)
        };
        let path = folder.path().join(format!("{durability:?}"));
        story(&EmbeddedStore::open(&path, options).unwrap());
    }
    story(&EmbeddedStore::on_crash_disk(CrashDisk::default(), options(retention)).unwrap());
}

fn push(id: &str, streams: &[&str], body: &str) -> Push {
    Push {
        id: id.into(),
        fingerprint: 7,
        streams: streams.iter().map(|stream| (*stream).into()).collect(),
        body: body.to_owned().into(),
        ttl_ms: None,
        collapse_key: None,
        undelivered_ms: None,
    }
}

/// Commits one write.
fn write(store: &EmbeddedStore, now_ms: u64, write: Write) -> Result<Outcome, WriteError> {
    store.commit(now_ms, &[write]).unwrap().remove(0)
}

fn register(
    store: &EmbeddedStore,
    stream: &str,
    device: &str,
    now_ms: u64,
) -> (StreamState, DeviceState) {
    let (stream, device) = (stream.into(), device.into());
    match write(
        store,
        now_ms,
        Write::Register {
            stream,
            device,
            keep: Vec::new(),
        },
    ) {
        Ok(Outcome::Registered { stream, device }) => (stream, device),
        other => panic!("{other:?}"),
    }
}

fn offsets(outcome: &Result<Outcome, WriteError>) -> Vec<u32> {
    match outcome {
        Ok(Outcome::Pushed { places, .. }) => places.iter().map(|(_, offset)| offset.0).collect(),
        other => panic!("{other:?}"),
    }
}

/// What a reader behind `after` gets: the offsets, and how far they account for.
fn read(store: &EmbeddedStore, after: u32, messages: u32, now_ms: u64) -> (Vec<u32>, u32) {
    let limits = PageLimits {
        messages,
        bytes: usize::MAX,
    };
    let page = store
        .read("user:1", Offset(after), limits, now_ms)
        .unwrap()
        .unwrap();
    (
        page.entries.iter().map(|(offset, _)| offset.0).collect(),
        page.through.0,
    )
}

#[test]
fn offsets_are_counted_by_stream_and_a_repeat_is_answered_with_the_first() {
    everywhere(ALL, |store| {
        let one = write(
            store,
            1,
            Write::Push(push("a", &["user:1", "user:2"], "{}")),
        );
        assert_eq!(offsets(&one), [1, 1]);
        assert_eq!(
            offsets(&write(store, 2, Write::Push(push("b", &["user:2"], "{}")))),
            [2]
        );
        let mut other = push("a", &["user:1", "user:2"], "{}");
        let again = write(store, 3, Write::Push(other.clone()));
        assert!(matches!(&again, Ok(Outcome::Pushed { repeated: true, .. })));
        assert_eq!(offsets(&again), [1, 1]);
        other.fingerprint = 8;
        let batch = [
            Write::Push(push("c", &["user:1"], "{}")),
            Write::Push(other),
            Write::Push(push("", &["x"], "{}")),
            Write::Push(push("d", &["user:1"], "{}")),
        ];
        let results = store.commit(4, &batch).unwrap();
        assert_eq!(
            (results[1].clone(), results[2].clone()),
            (Err(WriteError::Conflict), Err(WriteError::Name))
        );
        assert_eq!(
            (offsets(&results[0]), offsets(&results[3])),
            (vec![2], vec![3]),
            "the others stand"
        );
        let record = store.push("a").unwrap().unwrap();
        assert_eq!(
            (record.at_ms, record.places.len(), &*record.places[1].0),
            (1, 2, "user:2")
        );
        assert_eq!(store.push("z").unwrap(), None);
        assert_eq!(store.stream("user:3").unwrap(), None);
    });
}

#[test]
fn a_page_keeps_its_limits_and_says_how_far_it_goes() {
    everywhere(ALL, |store| {
        for n in 0..10 {
            write(
                store,
                1,
                Write::Push(push(&n.to_string(), &["user:1"], "{\"n\":1}")),
            )
            .unwrap();
        }
        assert_eq!(read(store, 0, 4, 1), (vec![1, 2, 3, 4], 4));
        assert_eq!(read(store, 8, 4, 1), (vec![9, 10], 10));
        assert_eq!(read(store, 10, 4, 1), (vec![], 10));
        assert_eq!(read(store, 99, 4, 1), (vec![], 99));
        let limits = PageLimits {
            messages: 100,
            bytes: 8,
        };
        let page = store.read("user:1", Offset(0), limits, 1).unwrap().unwrap();
        assert_eq!(
            (page.entries.len(), page.through),
            (2, Offset(2)),
            "one more than fits"
        );
        assert_eq!(store.read("nobody:1", Offset(0), limits, 1).unwrap(), None);
    });
}

#[test]
fn a_device_begins_at_the_head_and_its_acknowledgements_only_grow() {
    everywhere(ALL, |store| {
        write(store, 1, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
        let (stream, device) = register(store, "user:1", "phone", 5);
        assert_eq!(
            (device.since, device.acked, device.seen_ms),
            (Offset(1), Offset(1), 5)
        );
        for n in 0..4 {
            write(
                store,
                6,
                Write::Push(push(&n.to_string(), &["user:1"], "{}")),
            )
            .unwrap();
        }
        let ack = |epoch, offset, now_ms| {
            let (stream, device) = ("user:1".into(), "phone".into());
            write(
                store,
                now_ms,
                Write::Ack {
                    stream,
                    device,
                    epoch,
                    offset: Offset(offset),
                },
            )
            .unwrap();
            let device = store.device("user:1", "phone").unwrap().unwrap();
            (device.since.0, device.acked.0, device.seen_ms)
        };
        assert_eq!(ack(stream.epoch, 3, 7), (1, 3, 7));
        assert_eq!(ack(stream.epoch, 2, 8), (1, 3, 8), "never back");
        assert_eq!(
            ack(Epoch(1), 5, 9),
            (1, 3, 9),
            "of another epoch it says nothing"
        );
        assert_eq!(
            ack(stream.epoch, 900, 10),
            (1, 5, 10),
            "never beyond the head"
        );
        assert_eq!(
            register(store, "user:1", "phone", 11).1.acked,
            Offset(5),
            "known again"
        );
        assert_eq!(store.devices("user:1", 9).unwrap().len(), 1);
        assert_eq!(store.device("user:1", "tablet").unwrap(), None);
    });
}

#[test]
fn an_acknowledgement_of_nothing_known_makes_nothing() {
    everywhere(ALL, |store| {
        write(store, 1, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
        let epoch = store.stream("user:1").unwrap().unwrap().epoch;
        for stream in ["user:1", "user:9"] {
            let ack = Write::Ack {
                stream: stream.into(),
                device: "phone".into(),
                epoch,
                offset: Offset(1),
            };
            assert_eq!(write(store, 2, ack), Ok(Outcome::Done));
            assert_eq!(store.devices(stream, 9).unwrap(), []);
        }
        assert_eq!(store.stream("user:9").unwrap(), None);
        let (_, device) = register(store, "user:1", "phone", 3);
        assert_eq!((device.since, device.acked), (Offset(1), Offset(1)));
    });
}

#[test]
fn when_the_offsets_are_used_up_a_new_epoch_begins() {
    everywhere(ALL, |store| {
        let (before, _) = register(store, "user:1", "phone", 1);
        let mut keyed = push("a", &["user:1"], "{}");
        keyed.collapse_key = Some("badge".into());
        keyed.ttl_ms = Some(50);
        write(store, 1, Write::Push(keyed.clone())).unwrap();
        store
            .engine
            .write(|tables| tables.set_head("user:1", Offset(u32::MAX - 1)))
            .unwrap();
        let last = write(store, 2, Write::Push(push("b", &["user:1"], "{}")));
        assert_eq!(offsets(&last), [u32::MAX]);
        assert_eq!(read(store, 0, 9, 2), (vec![1, u32::MAX], u32::MAX));

        keyed.id = "c".into();
        let next = write(store, 3, Write::Push(keyed));
        assert_eq!(offsets(&next), [1]);
        let after = store.stream("user:1").unwrap().unwrap();
        assert_ne!(after.epoch, before.epoch);
        assert_eq!(
            (after.head, after.messages, after.bytes, after.trimmed),
            (Offset(1), 1, 2, Offset(0))
        );
        assert_eq!(read(store, 0, 9, 3), (vec![1], 1));
        assert_eq!(
            store.device("user:1", "phone").unwrap(),
            None,
            "it begins anew"
        );
        // What pointed at the former messages is gone with them.
        assert_eq!(store.trim(51, 100).unwrap().messages, 0);
        assert_eq!(store.trim(53, 100).unwrap().messages, 1);
        let record = store.push("b").unwrap().unwrap();
        assert_eq!(
            (record.places[0].1, record.places[0].2),
            (before.epoch, Offset(u32::MAX))
        );
    });
}

#[test]
fn the_oldest_device_makes_room_at_the_bound() {
    let store = EmbeddedStore::in_memory(options(ALL)).unwrap();
    let batch: Vec<_> = (0..Retention::MAX_DEVICES)
        .map(|n| Write::Register {
            stream: "user:1".into(),
            device: n.to_string().into(),
            keep: Vec::new(),
        })
        .collect();
    store.commit(5, &batch).unwrap();
    register(&store, "user:1", "0", 6);
    register(&store, "user:1", "new", 7);
    assert_eq!(
        store.devices("user:1", 5_000).unwrap().len(),
        Retention::MAX_DEVICES
    );
    assert!(store.device("user:1", "0").unwrap().is_some());
    assert!(store.device("user:1", "1").unwrap().is_none());
}

/// Who was there before a message judges it, whatever they acknowledge; who came with it or later does not.
#[test]
fn receipts_are_of_the_devices_that_were_there_before() {
    everywhere(ALL, |store| {
        register(store, "user:1", "early", 1);
        write(store, 2, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
        let (stream, _) = register(store, "user:1", "late", 3);
        let seen = |offset, limit| {
            let receipts = store.receipts("user:1", Offset(offset), limit).unwrap();
            (receipts.acked, receipts.count, receipts.devices.len())
        };
        // The late one stands at 1 as acknowledged, and has nothing to do with it.
        assert_eq!(seen(1, 9), (false, 1, 1));
        write(store, 4, Write::Push(push("b", &["user:1"], "{}"))).unwrap();
        assert_eq!(seen(2, 1), (false, 2, 1));
        let (epoch, offset) = (stream.epoch, Offset(2));
        let (stream, device) = ("user:1".into(), "late".into());
        let ack = Write::Ack {
            stream,
            device,
            epoch,
            offset,
        };
        write(store, 5, ack).unwrap();
        assert_eq!(seen(2, 1), (true, 2, 1), "by one that is not listed");
        assert_eq!(seen(1, 9), (false, 1, 1));
    });
}

#[test]
fn a_device_that_is_to_be_kept_makes_no_room_unless_all_are() {
    let store = EmbeddedStore::in_memory(options(ALL)).unwrap();
    let names: Vec<Box<str>> = (0..Retention::MAX_DEVICES)
        .map(|n| n.to_string().into())
        .collect();
    let register = |now_ms, device: &str, keep: &[Box<str>]| {
        let (stream, device) = ("user:1".into(), device.into());
        let keep = keep.to_vec();
        let done = write(
            &store,
            now_ms,
            Write::Register {
                stream,
                device,
                keep,
            },
        );
        assert!(matches!(done, Ok(Outcome::Registered { .. })), "{done:?}");
    };
    for (now_ms, name) in names.iter().enumerate() {
        register(now_ms as u64, name, &[]);
    }
    register(5_000, "new", &names[..2]);
    let is_known = |name: &str| store.device("user:1", name).unwrap().is_some();
    assert_eq!(
        ["0", "1", "2", "3"].map(is_known),
        [true, true, false, true]
    );
    let all: Vec<Box<str>> = names.iter().cloned().chain(["new".into()]).collect();
    register(5_001, "newer", &all);
    assert!(!is_known("0") && is_known("newer"));
    let count = store.devices("user:1", 5_000).unwrap().len();
    assert_eq!(count, Retention::MAX_DEVICES);
}

#[test]
fn only_the_latest_of_a_key_stays_and_that_is_no_gap() {
    everywhere(ALL, |store| {
        for (id, key) in [
            ("a", Some("badge")),
            ("b", None),
            ("c", Some("badge")),
            ("d", Some("other")),
        ] {
            let mut push = push(id, &["user:1"], "{}");
            push.collapse_key = key.map(Into::into);
            write(store, 1, Write::Push(push)).unwrap();
        }
        assert_eq!(read(store, 0, 9, 1), (vec![2, 3, 4], 4));
        let stream = store.stream("user:1").unwrap().unwrap();
        assert_eq!((stream.messages, stream.trimmed), (3, Offset(0)));
    });
}

#[test]
fn what_has_expired_is_passed_over_and_removed_and_that_is_no_gap() {
    everywhere(ALL, |store| {
        for n in 0..3 {
            let mut push = push(&n.to_string(), &["user:1"], "{}");
            push.ttl_ms = (n == 1).then_some(50);
            write(store, 100, Write::Push(push)).unwrap();
        }
        assert_eq!(read(store, 0, 9, 149), (vec![1, 2, 3], 3));
        assert_eq!(read(store, 0, 9, 150), (vec![1, 3], 3));
        assert_eq!(store.trim(150, 100).unwrap().messages, 1);
        let stream = store.stream("user:1").unwrap().unwrap();
        assert_eq!(
            (stream.messages, stream.trimmed, stream.head),
            (2, Offset(0), Offset(3))
        );
    });
}

#[test]
fn retention_takes_the_front_and_says_so() {
    let few = Retention {
        max_messages: 3,
        max_bytes: 100,
        max_age_ms: 1_000,
    };
    everywhere(few, |store| {
        for n in 0..5 {
            write(
                store,
                1,
                Write::Push(push(&n.to_string(), &["user:1"], "{}")),
            )
            .unwrap();
        }
        assert_eq!(store.stream("user:1").unwrap().unwrap().trimmed, Offset(2));
        let large = "x".repeat(500);
        write(store, 900, Write::Push(push("large", &["user:1"], &large))).unwrap();
        assert_eq!(
            read(store, 0, 9, 900),
            (vec![6], 6),
            "the last stays whatever its size"
        );
        assert_eq!(
            store.trim(1_500, 100).unwrap().pushes,
            5,
            "records live as long as the age"
        );
        assert_eq!(store.trim(2_000, 100).unwrap().messages, 1);
        let stream = store.stream("user:1").unwrap().unwrap();
        assert_eq!(
            (stream.trimmed, stream.head, stream.messages, stream.bytes),
            (Offset(6), Offset(6), 0, 0)
        );
        assert_eq!(
            offsets(&write(
                store,
                2_001,
                Write::Push(push("next", &["user:1"], "{}"))
            )),
            [7]
        );
    });
}

#[test]
fn a_message_stamped_in_the_future_keeps_nothing_behind_it() {
    let short = Retention {
        max_age_ms: 1_000,
        ..ALL
    };
    everywhere(short, |store| {
        let stamps = [9_000_000, 10, 8_000_000, 20, 5_000];
        for at_ms in stamps {
            let push = push(&at_ms.to_string(), &["user:1"], "{}");
            write(store, at_ms, Write::Push(push)).unwrap();
        }
        assert_eq!(
            store.trim(1_010, 100).unwrap().messages,
            0,
            "none is too old yet"
        );
        assert_eq!(store.trim(1_015, 100).unwrap().messages, 2);
        assert_eq!(store.trim(5_500, 1).unwrap().messages, 1, "the budget");
        assert_eq!(store.trim(5_500, 100).unwrap().messages, 1);
        assert_eq!(read(store, 0, 9, 5_500), (vec![5], 5));
        let stream = store.stream("user:1").unwrap().unwrap();
        assert_eq!((stream.trimmed, stream.messages), (Offset(4), 1));
        assert_eq!(store.newest_ms().unwrap(), Some(9_000_000));
    });
}

#[test]
fn retention_goes_round_all_streams_with_little_work_each_time() {
    let short = Retention {
        max_age_ms: 10,
        ..ALL
    };
    let store = EmbeddedStore::in_memory(options(short)).unwrap();
    for n in 0..20 {
        write(
            &store,
            1,
            Write::Push(push(&n.to_string(), &[&format!("user:{n}")], "{}")),
        )
        .unwrap();
    }
    let removed: u64 = (0..20).map(|_| store.trim(100, 4).unwrap().messages).sum();
    assert_eq!(removed, 20);
    let (_, device) = register(&store, "user:1", "phone", 200);
    assert_eq!(device.acked, Offset(1), "the count goes on");
    let later = 201 + Retention::DEVICE_MS;
    let forgotten: u64 = (0..20).map(|_| store.trim(later, 4).unwrap().devices).sum();
    assert_eq!(forgotten, 1);
}

#[test]
fn where_there_is_nothing_to_remove_nothing_is_written() {
    let disk = CrashDisk::default();
    let short = Retention {
        max_age_ms: 1_000,
        ..ALL
    };
    let store = EmbeddedStore::on_crash_disk(disk.clone(), options(short)).unwrap();
    let mut brief = push("a", &["user:1"], "{}");
    brief.ttl_ms = Some(50);
    write(&store, 100, Write::Push(brief)).unwrap();
    write(&store, 100, Write::Push(push("b", &["user:1"], "{}"))).unwrap();
    register(&store, "user:2", "phone", 100);
    let calls = disk.calls();
    assert_eq!(store.trim(149, 100).unwrap(), Trimmed::default());
    assert_eq!(disk.calls(), calls);
    assert_eq!(store.trim(150, 100).unwrap().messages, 1);
    let calls = disk.calls();
    assert_eq!(store.trim(1_100, 100).unwrap(), Trimmed::default());
    assert_eq!(disk.calls(), calls);
    let done = store.trim(1_101, 100).unwrap();
    assert_eq!((done.messages, done.pushes), (1, 2));
    let calls = disk.calls();
    for now_ms in 1_102..1_110 {
        store.trim(now_ms, 100).unwrap();
    }
    assert_eq!(disk.calls(), calls);
}

#[test]
fn many_devices_are_looked_at_in_several_turns() {
    let store = EmbeddedStore::in_memory(options(ALL)).unwrap();
    for stream in 0..6 {
        let devices = (0..10).map(|n| Write::Register {
            stream: format!("user:{stream}").into(),
            device: n.to_string().into(),
            keep: Vec::new(),
        });
        store.commit(5, &devices.collect::<Vec<_>>()).unwrap();
    }
    let later = 6 + Retention::DEVICE_MS;
    // Two streams of ten devices each, and themselves; the third turn comes to the end.
    let turns: Vec<u64> = (0..4)
        .map(|_| store.trim(later, 20).unwrap().devices)
        .collect();
    assert_eq!(turns, [20, 20, 20, 0]);
}

#[test]
fn a_stream_that_is_named_twice_has_the_push_once() {
    everywhere(ALL, |store| {
        let twice = push("a", &["user:1", "user:2", "user:1", "user:1"], "{}");
        let one = write(store, 1, Write::Push(twice.clone()));
        assert_eq!(offsets(&one), [1, 1, 1, 1]);
        assert_eq!(read(store, 0, 9, 1), (vec![1], 1));
        let again = write(store, 2, Write::Push(twice));
        assert_eq!(offsets(&again), [1, 1, 1, 1]);
        let next = write(
            store,
            3,
            Write::Push(push("b", &["user:1", "user:2"], "{}")),
        );
        assert_eq!(offsets(&next), [2, 2]);
    });
}

#[test]
fn deadlines_come_in_their_order_and_stay_until_carried_out() {
    everywhere(ALL, |store| {
        for (id, after_ms) in [("late", 50), ("soon", 10)] {
            let mut push = push(id, &["user:1"], "{}");
            push.undelivered_ms = Some(after_ms);
            write(store, 100, Write::Push(push)).unwrap();
        }
        let due = |now_ms| {
            store
                .due(now_ms, 9)
                .unwrap()
                .iter()
                .map(|due| due.push.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(due(109), Vec::<String>::new());
        assert_eq!(due(110), ["soon"]);
        assert_eq!(due(150), ["soon", "late"]);
        write(
            store,
            150,
            Write::Fired {
                push: "soon".into(),
                at_ms: 110,
            },
        )
        .unwrap();
        assert_eq!(due(150), ["late"]);
    });
}

#[test]
fn a_folder_keeps_everything_and_is_one_process_only() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path(), options(ALL)).unwrap();
    write(&store, 1, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
    let before = store.stream("user:1").unwrap();
    let second = EmbeddedStore::open(folder.path(), options(ALL)).unwrap_err();
    assert!(matches!(second, StoreError::InUse(_)), "{second}");
    drop(store);
    let store = EmbeddedStore::open(folder.path(), options(ALL)).unwrap();
    assert_eq!(store.stream("user:1").unwrap(), before);
    assert_eq!(
        offsets(&write(&store, 2, Write::Push(push("b", &["user:1"], "{}")))),
        [2]
    );
}
