//! Stories of files that are not what was written, or were never ours.

use super::*;
use crate::store::opening::FORMAT;
use redb::{Database, ReadableDatabase, TableDefinition};

#[test]
fn what_is_newer_or_no_store_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path(), options(ALL)).unwrap();
    store
        .engine
        .write(|tables| tables.set_format(FORMAT + 1))
        .unwrap();
    drop(store);
    let error = EmbeddedStore::open(folder.path(), options(ALL))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("format 3")
            && error.contains("up to 2")
            && error.contains("newer heartline-server"),
        "{error}"
    );

    std::fs::write(folder.path().join(FILE), vec![7; 100_000]).unwrap();
    let error = EmbeddedStore::open(folder.path(), options(ALL)).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let error = EmbeddedStore::open(&folder.path().join("file"), options(ALL)).unwrap_err();
    assert!(matches!(error, StoreError::Io(_)), "{error}");
}

/// Why the store in this folder does not open.
fn refusal(folder: &Path) -> String {
    EmbeddedStore::open(folder, options(ALL))
        .unwrap_err()
        .to_string()
}

#[test]
fn an_older_format_is_refused_and_what_somebody_else_made_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = EmbeddedStore::open(folder.path(), options(ALL)).unwrap();
    store.engine.write(|tables| tables.set_format(1)).unwrap();
    drop(store);
    let told = refusal(folder.path());
    assert!(
        told.contains("format 1") && told.contains("delete it"),
        "{told}"
    );

    let texts: TableDefinition<'_, &str, &str> = TableDefinition::new("somebody_elses");
    let their_meta: TableDefinition<'_, &str, &str> = TableDefinition::new("meta");
    let no_format: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
    let makers: [fn(&redb::WriteTransaction, _, _, _); 3] = [
        |theirs, texts, _, _| drop(theirs.open_table(texts).unwrap()),
        |theirs, _, meta, _| drop(theirs.open_table(meta).unwrap()),
        |theirs, _, _, meta| drop(theirs.open_table(meta).unwrap()),
    ];
    for make in makers {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let database = Database::create(&path).unwrap();
        let theirs = database.begin_write().unwrap();
        make(&theirs, texts, their_meta, no_format);
        theirs.commit().unwrap();
        drop(database);
        let told = refusal(folder.path());
        assert!(told.contains("cannot be read as a store"), "{told}");
        let database = Database::open(&path).unwrap();
        let left = database.begin_read().unwrap();
        assert_eq!(left.list_tables().unwrap().count(), 1, "as it was");
    }
}

/// A store on a disk, with messages of these bodies to `user:1`, closed.
fn written(bodies: impl Iterator<Item = String>) -> CrashDisk {
    let disk = CrashDisk::default();
    let store = EmbeddedStore::on_crash_disk(disk.clone(), options(ALL)).unwrap();
    let batch: Vec<_> = bodies
        .enumerate()
        .map(|(n, body)| Write::Push(push(&n.to_string(), &["user:1", "user:2"], &body)))
        .collect();
    store.commit(1, &batch).unwrap();
    disk
}

/// Changes a bit of each place where `bytes` stand.
fn flip(disk: &CrashDisk, bytes: &[u8]) {
    disk.damage(|content| {
        let mut at = 0;
        while let Some(found) = content[at..].windows(bytes.len()).position(|w| w == bytes) {
            content[at + found] ^= 1;
            at += found + bytes.len();
        }
        assert!(at > 0, "it is there");
    });
}

#[test]
fn a_message_that_the_disk_has_changed_is_a_gap_and_never_delivered() {
    let disk = written((1..=5).map(|n| format!("{{\"message\":{n}}}")));
    flip(&disk, b"{\"message\":3}");
    let store = EmbeddedStore::on_crash_disk(disk, options(ALL)).unwrap();
    let page = |after| {
        let limits = PageLimits {
            messages: 9,
            bytes: usize::MAX,
        };
        let page = store
            .read("user:1", Offset(after), limits, 1)
            .unwrap()
            .unwrap();
        let offsets: Vec<u32> = page.entries.iter().map(|(offset, _)| offset.0).collect();
        (page.trimmed.0, offsets, page.through.0)
    };
    assert_eq!(page(0), (0, vec![1, 2], 2), "what is before it comes first");
    assert_eq!(
        page(2),
        (3, vec![4, 5], 5),
        "then the gap, and what is behind"
    );
    assert_eq!(page(3), (0, vec![4, 5], 5));
}

#[test]
fn a_row_that_the_disk_has_changed_is_told_and_harms_no_other() {
    let disk = CrashDisk::default();
    let next = AtomicU64::new(0x1122_3344_5566_7788);
    let mut distinct = options(ALL);
    distinct.entropy = Box::new(move || next.fetch_add(0x0101_0101, Relaxed));
    let store = EmbeddedStore::on_crash_disk(disk.clone(), distinct).unwrap();
    for (id, stream) in [("a", "user:1"), ("b", "user:2")] {
        write(&store, 1, Write::Push(push(id, &[stream], "{}"))).unwrap();
    }
    register(&store, "user:2", "phone", 0x7766_5544_3322_1100);
    let epoch = store.stream("user:1").unwrap().unwrap().epoch;
    drop(store);
    flip(&disk, &epoch.0.to_le_bytes());
    flip(&disk, &0x7766_5544_3322_1100u64.to_le_bytes());
    let store = EmbeddedStore::on_crash_disk(disk, options(ALL)).unwrap();
    let is_told = |told: Option<StoreError>| {
        assert!(
            matches!(&told, Some(StoreError::Damaged { reason, .. }) if reason.contains("checksum")),
            "{told:?}"
        );
    };
    is_told(store.stream("user:1").err());
    is_told(store.push("a").err());
    is_told(store.devices("user:2", 9).err());
    let batch = [Write::Push(push("c", &["user:1"], "{}"))];
    is_told(store.commit(2, &batch).err());
    assert_eq!(store.engine.generation(), 0, "nothing was opened again");
    let other = write(&store, 2, Write::Push(push("d", &["user:2"], "{}")));
    assert_eq!(offsets(&other), [2]);
}

/// Whatever is done to the file, nothing panics out of the store and nothing wrong is ever read.
#[test]
fn a_damaged_file_is_told_and_never_believed() {
    let body = |n: u32| format!("{{\"n\":{n},\"text\":\"{}\"}}", "x".repeat(200));
    let whole = written((1..=200).map(body));
    let mut bytes = Vec::new();
    whole.damage(|content| bytes.clone_from(content));
    let (mut random, mut told) = (0x2545_f491_4f6c_dd1d_u64, 0);
    let mut below = |bound: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        random as usize % bound
    };
    for round in 0..90 {
        let disk = CrashDisk::default();
        disk.damage(|content| {
            content.clone_from(&bytes);
            match round % 3 {
                0 => content.truncate(below(bytes.len())),
                1 => (0..20).for_each(|_| content[below(bytes.len())] ^= 1 << below(8)),
                _ => {
                    let page = below(bytes.len() / 4096) * 4096;
                    content[page..page + 4096].fill(0);
                }
            }
        });
        let store = match EmbeddedStore::on_crash_disk(disk, options(ALL)) {
            Ok(store) => store,
            Err(error) => {
                let is_disk = matches!(error, StoreError::Full | StoreError::Io(_));
                assert!(!is_disk, "{error}");
                told += 1;
                continue;
            }
        };
        let limits = PageLimits {
            messages: 1_000,
            bytes: usize::MAX,
        };
        match store.read("user:1", Offset(0), limits, 1) {
            Ok(page) => {
                for (offset, held) in page.map(|page| page.entries).unwrap_or_default() {
                    assert_eq!(held, body(offset.0), "round {round}");
                }
            }
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
                told += 1;
            }
        }
        let batch = [Write::Push(push("new", &["user:1", "user:3"], "{}"))];
        let _ = store.commit(2, &batch);
        let _ = store.trim(3, 100);
        let _ = store.stream("user:2");
    }
    assert!(told > 30, "only {told} rounds were told of");
}
