//! Stories of durability `process`: how a run begins and ends, and what a power cut makes of it.

use super::*;

/// A store on this disk, under this start of the system.
fn opened(disk: &CrashDisk, durability: Durability, boot: Option<u64>, seed: u64) -> EmbeddedStore {
    let next = AtomicU64::new(seed * 1_000);
    let options = Options {
        durability,
        boot,
        entropy: Box::new(move || next.fetch_add(1, Relaxed)),
        ..options(ALL)
    };
    EmbeddedStore::on_crash_disk(disk.clone(), options).unwrap()
}

/// Ends the process, but not the system: all that was written is there, and nobody has said goodbye.
fn kill(disk: &CrashDisk, store: EmbeddedStore) {
    disk.freeze();
    drop(store);
    disk.thaw();
}

const PROCESS: Durability = Durability::Process;

#[test]
fn only_an_end_of_the_system_in_a_run_begins_new_epochs() {
    let disk = CrashDisk::default();
    let mut before = None;
    let mut count = 0;
    let mut begins_anew = |durability, boot, ends_well| {
        count += 1;
        let store = opened(&disk, durability, boot, count);
        let id = count.to_string();
        let offset = offsets(&write(
            &store,
            1,
            Write::Push(push(&id, &["user:1", "user:2"], "{}")),
        ));
        assert_eq!(offset[0], count as u32, "the offsets go on");
        let epochs = ["user:1", "user:2"].map(|name| store.stream(name).unwrap().unwrap().epoch);
        match ends_well {
            true => drop(store),
            false => kill(&disk, store),
        }
        let former = before.replace(epochs);
        let changed = former.map(|former| [former[0] != epochs[0], former[1] != epochs[1]]);
        let changed = changed.unwrap_or([false; 2]);
        assert_eq!(changed[0], changed[1], "all or none");
        changed[0]
    };
    assert!(!begins_anew(PROCESS, Some(1), true));
    assert!(!begins_anew(PROCESS, Some(2), false), "it had ended well");
    assert!(
        !begins_anew(PROCESS, Some(2), false),
        "the process was killed"
    );
    assert!(begins_anew(PROCESS, Some(3), true), "the power was cut");
    assert!(!begins_anew(Durability::Power, Some(3), false));
    assert!(!begins_anew(Durability::Power, Some(4), false), "it waits");
    assert!(!begins_anew(PROCESS, Some(5), false), "it had waited");
    assert!(
        begins_anew(Durability::Power, Some(6), true),
        "power is late"
    );
    assert!(!begins_anew(PROCESS, None, true));
    assert!(!begins_anew(PROCESS, None, false));
    assert!(begins_anew(PROCESS, None, true), "it may have been");
}

#[test]
fn what_ended_well_is_on_the_disk() {
    for seed in 0..32 {
        let disk = CrashDisk::default();
        let store = opened(&disk, PROCESS, Some(1), 1);
        for n in 0..20 {
            let id = format!("{n}");
            write(&store, 1, Write::Push(push(&id, &["user:1"], &id))).unwrap();
        }
        let epoch = store.stream("user:1").unwrap().unwrap().epoch;
        drop(store);
        disk.crash(seed);
        let store = opened(&disk, PROCESS, Some(2), 2);
        let after = store.stream("user:1").unwrap().unwrap();
        assert_eq!(
            (after.head, after.epoch),
            (Offset(20), epoch),
            "seed {seed}"
        );
    }
}

/// What a power cut leaves of a run is refused, or is under other epochs: never the same epoch with fewer pushes.
#[test]
fn a_power_cut_never_sets_offsets_back_in_silence() {
    let (mut refused, mut fewer) = (0, 0);
    for seed in 0..120 {
        let disk = CrashDisk::default();
        let store = opened(&disk, PROCESS, Some(1), 1);
        write(&store, 1, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
        drop(store);
        let store = opened(&disk, PROCESS, Some(2), 2);
        for n in 0..seed % 7 + 1 {
            let id = format!("{n}");
            write(&store, 1, Write::Push(push(&id, &["user:1"], &id))).unwrap();
        }
        let before = store.stream("user:1").unwrap().unwrap();
        disk.freeze();
        drop(store);
        match seed % 4 {
            0 => disk.lose(),
            _ => disk.crash(seed),
        }
        let next = AtomicU64::new(3_000);
        let options = Options {
            durability: PROCESS,
            boot: Some(3),
            entropy: Box::new(move || next.fetch_add(1, Relaxed)),
            ..options(ALL)
        };
        match EmbeddedStore::on_crash_disk(disk, options) {
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                refused += 1;
            }
            Ok(store) => {
                let after = store.stream("user:1").unwrap().unwrap();
                assert_ne!(after.epoch, before.epoch, "seed {seed}");
                fewer += u32::from(after.head < before.head);
            }
        }
    }
    assert!(fewer >= 30, "{refused} refused, {fewer} set back");
}

#[test]
fn an_engine_that_is_opened_again_in_the_same_process_keeps_its_epochs() {
    let disk = CrashDisk::default();
    let store = opened(&disk, PROCESS, None, 1);
    write(&store, 1, Write::Push(push("a", &["user:1"], "{}"))).unwrap();
    let epoch = store.stream("user:1").unwrap().unwrap().epoch;
    disk.fail_after(0);
    store
        .commit(2, &[Write::Push(push("b", &["user:1"], "{}"))])
        .unwrap_err();
    disk.mend();
    let offsets = offsets(&write(
        &store,
        5_000,
        Write::Push(push("b", &["user:1"], "{}")),
    ));
    assert!(offsets == [2] && store.engine.generation() == 1);
    assert_eq!(store.stream("user:1").unwrap().unwrap().epoch, epoch);
}
