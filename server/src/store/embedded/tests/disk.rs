//! Stories of disks that are full, fail, or crash.

use super::*;
use crate::store::engine::PAUSE_MS;
use crate::store::memory::Memory;
use crate::store::opening::Place;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[test]
fn a_full_disk_is_told_and_nothing_is_half_written_and_room_mends_it() {
    let disk = CrashDisk::default();
    let store = EmbeddedStore::on_crash_disk(disk.clone(), options(ALL)).unwrap();
    write(&store, 1, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
    disk.set_full(true);
    // What is there may be written over, so the first few still find a place.
    let large = "x".repeat(100_000);
    let mut kept = 1;
    let error = loop {
        let batch = [
            Write::Push(push(&format!("b{kept}"), &["user:1"], &large)),
            Write::Push(push(&format!("c{kept}"), &["user:2"], &large)),
        ];
        match store.commit(2, &batch) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, StoreError::Full), "{error}");
    let all = (1..=kept).collect::<Vec<_>>();
    assert_eq!(
        read(&store, 0, 999, 3),
        (all, kept),
        "it can be read, and nothing is half written"
    );
    assert_eq!(
        store
            .stream("user:2")
            .unwrap()
            .map_or(0, |stream| stream.head.0),
        kept - 1
    );
    let again = store.commit(
        3,
        &[Write::Push(push("e", &["user:1"], &"x".repeat(1_000_000)))],
    );
    assert!(matches!(again, Err(StoreError::Full)), "{again:?}");
    disk.set_full(false);
    let next = write(
        &store,
        4 + PAUSE_MS,
        Write::Push(push("d", &["user:1", "user:2"], &large)),
    );
    assert_eq!(offsets(&next), [kept + 1, kept]);
}

/// A commit that fails on a disk that is too small for it: what it has taken is given back, and the disk is as it was.
#[test]
fn the_room_that_a_failed_commit_took_is_given_back() {
    let memory = Memory::new(12_000_000);
    let open = || EmbeddedStore::open_place(Place::Memory(memory.clone()), options(ALL)).unwrap();
    let store = open();
    write(&store, 1, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
    let before = memory.held();
    // Each of them could fit, all together cannot.
    let large: Vec<_> = (0..20)
        .map(|n| Write::Push(push(&format!("l{n}"), &["user:2"], &"x".repeat(1_000_000))))
        .collect();
    for round in 1..4 {
        let now_ms = round * 2 * PAUSE_MS;
        let told = store.commit(now_ms, &large);
        assert!(matches!(told, Err(StoreError::Full)), "{told:?}");
        assert!(memory.held() > before + 5_000_000, "it was tried");
        let small = push(&format!("s{round}"), &["user:1"], "{}");
        let offset = offsets(&write(&store, now_ms + PAUSE_MS, Write::Push(small)));
        assert_eq!(offset, [round as u32 + 1]);
        assert!(
            memory.held() < before + 1_000_000,
            "{before} before, {} after round {round}",
            memory.held()
        );
    }
    assert_eq!(store.stream("user:2").unwrap(), None);
    drop(store);
    // What is there can be read by whoever comes later.
    assert_eq!(read(&open(), 0, 99, 1), (vec![1, 2, 3, 4], 4));
}

#[test]
fn a_push_that_cannot_fit_is_refused_alone_and_before_it_is_tried() {
    let memory = Memory::new(12_000_000);
    let store = EmbeddedStore::open_place(Place::Memory(memory.clone()), options(ALL)).unwrap();
    write(&store, 1, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
    let before = memory.held();
    let many: Vec<String> = (0..40).map(|n| format!("user:t{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let batch = [
        Write::Push(push("b", &["user:1"], "{}")),
        Write::Push(push("large", &many, &"x".repeat(1_000_000))),
        Write::Push(push("c", &["user:1"], "{}")),
    ];
    let done = store.commit(2, &batch).unwrap();
    assert_eq!(offsets(&done[0]), [2]);
    assert_eq!(done[1], Err(WriteError::NoRoom));
    assert_eq!(offsets(&done[2]), [3]);
    assert!(memory.held() < before + 500_000, "{}", memory.held());
}

#[test]
fn a_full_disk_is_asked_once_a_second_and_opened_again_only_when_it_must() {
    let disk = CrashDisk::default();
    let store = EmbeddedStore::on_crash_disk(disk.clone(), options(ALL)).unwrap();
    write(&store, 1, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
    let large = |id: &str| [Write::Push(push(id, &["user:1"], &"x".repeat(8_000_000)))];
    disk.set_full(true);
    let told = store.commit(10, &large("b"));
    assert!(matches!(told, Err(StoreError::Full)), "{told:?}");
    let calls = disk.calls();
    for now_ms in [10, 11, 9 + PAUSE_MS] {
        let told = store.commit(now_ms, &large("b"));
        assert!(matches!(told, Err(StoreError::Full)), "{told:?}");
    }
    assert_eq!((disk.calls(), store.engine.generation()), (calls, 0));
    assert_eq!(
        read(&store, 0, 9, 9 + PAUSE_MS),
        (vec![1], 1),
        "and is read"
    );
    let told = store.commit(10 + PAUSE_MS, &large("b"));
    assert!(matches!(told, Err(StoreError::Full)), "{told:?}");
    assert!(disk.calls() > calls && store.engine.generation() == 1);
    disk.set_full(false);
    store.commit(10 + 2 * PAUSE_MS, &large("b")).unwrap();
    assert_eq!(store.engine.generation(), 2);
    // A clock that was set back holds nobody up.
    disk.set_full(true);
    store.commit(1_000_000, &large("c")).unwrap_err();
    disk.set_full(false);
    store.commit(5, &large("c")).unwrap();
}

/// Wherever in a commit the disk fails, and whether it is mended soon or late: it is told, nothing that was answered is lost, and it
/// goes on without a restart.
#[test]
fn a_disk_that_fails_for_a_while_takes_nothing() {
    for calls in 0..24 {
        let disk = CrashDisk::default();
        let store = EmbeddedStore::on_crash_disk(disk.clone(), options(ALL)).unwrap();
        let batch = |n: u64| {
            let id = n.to_string();
            [Write::Push(push(&id, &["user:1"], &id))]
        };
        let mut answered = vec![];
        let (mut now_ms, mut refused) = (0, 0);
        for n in 0..40 {
            now_ms += 300;
            match n {
                10 => disk.fail_after(calls),
                20 => disk.mend(),
                _ => {}
            }
            match store.commit(now_ms, &batch(n)) {
                Ok(_) => answered.push(n.to_string()),
                Err(error) => {
                    refused += 1;
                    assert!(matches!(error, StoreError::Io(_)), "{error}");
                    assert!((10..28).contains(&n), "push {n} of round {calls}");
                }
            }
        }
        assert!(refused > 0 || calls > 8, "round {calls}");
        let held = held(&store, "user:1");
        assert!(
            answered.iter().all(|body| held.contains(body)),
            "round {calls}: {held:?}"
        );
        assert!(held.len() <= answered.len() + refused);
    }
}

#[test]
fn a_disk_that_cannot_be_read_at_the_start_is_not_called_damaged() {
    let disk = CrashDisk::default();
    disk.fail_after(0);
    let told = EmbeddedStore::on_crash_disk(disk, options(ALL)).unwrap_err();
    assert!(matches!(told, StoreError::Io(_)), "{told}");
}

/// What a simple store would hold: by stream, the bodies by offset.
type Model = BTreeMap<String, Vec<String>>;

fn held(store: &EmbeddedStore, stream: &str) -> Vec<String> {
    let limits = PageLimits {
        messages: u32::MAX,
        bytes: usize::MAX,
    };
    let Some(page) = store.read(stream, Offset(0), limits, 1).unwrap() else {
        return Vec::new();
    };
    let offsets: Vec<u32> = page.entries.iter().map(|(offset, _)| offset.0).collect();
    assert_eq!(offsets, (1..=page.head.0).collect::<Vec<_>>(), "gap-free");
    page.entries
        .iter()
        .map(|(_, body)| String::from_utf8(body.to_vec()).unwrap())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A disk that loses, keeps or tears whatever was not synced: what was answered is there, and what was not is there whole or not at all.
    #[test]
    fn a_crash_takes_nothing_that_was_answered(
        seed in any::<u64>(),
        steps in proptest::collection::vec((1usize..6, any::<bool>(), any::<bool>()), 1..12),
    ) {
        let disk = CrashDisk::default();
        let mut store = EmbeddedStore::on_crash_disk(disk.clone(), options(ALL)).unwrap();
        let mut model = Model::new();
        let mut epochs = BTreeMap::new();
        let mut count = 0;
        for (step, (writes, fails, crashes)) in steps.into_iter().enumerate() {
            let mut batch = Vec::new();
            let mut after = model.clone();
            for _ in 0..writes {
                count += 1;
                let stream = format!("user:{}", count % 3);
                let body = format!("{{\"n\":{count}}}");
                batch.push(Write::Push(push(&count.to_string(), &[&stream], &body)));
                after.entry(stream).or_default().push(body);
            }
            let mut may_be = vec![model.clone()];
            if fails && crashes {
                // The power goes in the middle of the commit: some of its writes reach the disk, none is answered.
                disk.fail_after(seed.wrapping_add(step as u64) % 12);
            }
            match store.commit(1, &batch) {
                Ok(_) => may_be = vec![after],
                Err(_) => may_be.push(after),
            }
            if crashes {
                // What the store does when it is closed is not what a power cut leaves.
                disk.freeze();
                drop(store);
                disk.crash(seed ^ (step as u64) << 32);
                store = EmbeddedStore::on_crash_disk(disk.clone(), options(ALL)).unwrap();
            }
            let now: Model = (0..3)
                .map(|n| format!("user:{n}"))
                .map(|stream| (stream.clone(), held(&store, &stream)))
                .filter(|(_, bodies)| !bodies.is_empty())
                .collect();
            prop_assert!(may_be.contains(&now), "step {}: {:?} is none of {:?}", step, now, may_be);
            for stream in now.keys() {
                let epoch = store.stream(stream).unwrap().unwrap().epoch;
                prop_assert_eq!(*epochs.entry(stream.clone()).or_insert(epoch), epoch);
            }
            model = now;
        }
    }
}
