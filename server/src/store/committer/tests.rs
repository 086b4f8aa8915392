//! Stories of the one thread that writes for all.

use super::*;
use crate::store::{
    Deadline, DeviceState, EmbeddedStore, Epoch, Offset, Options, Page, PageLimits, Push,
    PushRecord, Receipts, Retention, StreamState, Trimmed,
};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::mpsc;
use std::time::Duration;

fn store() -> Arc<dyn Store> {
    let retention = Retention {
        max_age_ms: u64::MAX,
        max_messages: u64::MAX,
        max_bytes: u64::MAX,
    };
    Arc::new(EmbeddedStore::in_memory(Options::new(retention, Box::new(|| 1))).unwrap())
}

fn push(id: &str) -> Write {
    Write::Push(Push {
        id: id.into(),
        fingerprint: 1,
        streams: vec!["user:1".into()],
        body: "{}".into(),
        ttl_ms: None,
        collapse_key: None,
        undelivered_ms: None,
    })
}

fn offset(result: Result<Outcome, SubmitError>) -> Offset {
    match result {
        Ok(Outcome::Pushed { places, .. }) => places[0].1,
        other => panic!("{other:?}"),
    }
}

#[test]
fn results_come_in_the_order_of_the_writes_and_all_before_the_end() {
    let committer = Committer::start(store(), || 1).unwrap();
    let (told, heard) = mpsc::channel();
    for n in 1..=500u32 {
        let told = told.clone();
        let done = move |result| told.send((n, offset(result).0)).unwrap();
        committer
            .submit(push(&n.to_string()), Box::new(done))
            .unwrap();
    }
    committer.shutdown();
    drop(told);
    assert_eq!(
        heard.iter().collect::<Vec<_>>(),
        (1..=500).map(|n| (n, n)).collect::<Vec<_>>()
    );
    let late = committer.submit(push("late"), Box::new(|_| panic!("never called")));
    assert_eq!(late, Err(Overloaded), "it has ended");
}

#[test]
fn what_waits_shares_a_commit_and_a_panic_harms_nobody_else() {
    let committer = Committer::start(store(), || 1).unwrap();
    let (go, gate) = mpsc::channel::<()>();
    // Holds the thread, so that the rest waits together.
    committer
        .submit(push("first"), Box::new(move |_| gate.recv().unwrap()))
        .unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let (told, heard) = mpsc::channel();
    for n in 0..10 {
        let told = told.clone();
        let done = move |result| {
            assert_ne!(n, 3, "this one panics");
            told.send(offset(result).0).unwrap();
        };
        committer
            .submit(push(&n.to_string()), Box::new(done))
            .unwrap();
    }
    go.send(()).unwrap();
    let seen: Vec<_> = (0..9)
        .map(|_| heard.recv_timeout(Duration::from_secs(10)).unwrap())
        .collect();
    assert_eq!(seen, [2, 3, 4, 6, 7, 8, 9, 10, 11]);
}

#[test]
fn too_many_bytes_are_refused_at_once() {
    let committer = Committer::start(store(), || 1).unwrap();
    let (go, gate) = mpsc::channel::<()>();
    committer
        .submit(push("first"), Box::new(move |_| gate.recv().unwrap()))
        .unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let mut large = push("large");
    if let Write::Push(push) = &mut large {
        push.body = vec![b'x'; MAX_BYTES].into();
    }
    committer.submit(large, Box::new(|_| {})).unwrap();
    let refused = committer.submit(push("one more"), Box::new(|_| {}));
    assert_eq!(refused, Err(Overloaded));
    go.send(()).unwrap();
}

/// A store that does with each batch what it is told to.
struct Scripted(fn(&[Write]) -> Committed);

type Committed = Result<Vec<Result<Outcome, WriteError>>, StoreError>;

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl Store for Scripted {
    fn commit(&self, _: u64, batch: &[Write]) -> Committed {
        self.0(batch)
    }
    fn stream(&self, _: &str) -> Result<Option<StreamState>, StoreError> {
        Ok(None)
    }
    fn device(&self, _: &str, _: &str) -> Result<Option<DeviceState>, StoreError> {
        Ok(None)
    }
    fn devices(&self, _: &str, _: usize) -> Result<Vec<(Box<str>, DeviceState)>, StoreError> {
        Ok(Vec::new())
    }
    fn receipts(&self, _: &str, _: Offset, _: usize) -> Result<Receipts, StoreError> {
        Ok(Receipts::default())
    }
    fn read(&self, _: &str, _: Offset, _: PageLimits, _: u64) -> Result<Option<Page>, StoreError> {
        Ok(None)
    }
    fn push(&self, _: &str) -> Result<Option<PushRecord>, StoreError> {
        Ok(None)
    }
    fn due(&self, _: u64, _: usize) -> Result<Vec<Deadline>, StoreError> {
        Ok(Vec::new())
    }
    fn trim(&self, _: u64, _: usize) -> Result<Trimmed, StoreError> {
        Ok(Trimmed::default())
    }
}

fn id(write: &Write) -> &str {
    match write {
        Write::Push(push) => &push.id,
        _ => "",
    }
}

/// What becomes of pushes of these ids that wait together.
fn outcomes(store: Scripted, ids: &[&str]) -> Vec<String> {
    let committer = Committer::start(Arc::new(store), || 1).unwrap();
    let (go, gate) = mpsc::channel::<()>();
    committer
        .submit(push("first"), Box::new(move |_| gate.recv().unwrap()))
        .unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let (told, heard) = mpsc::channel();
    for name in ids {
        let (write, told, name) = (push(name), told.clone(), (*name).to_owned());
        let done = move |result: Result<Outcome, SubmitError>| {
            let outcome = result.map_or_else(|error| error.to_string(), |_| "done".into());
            told.send(format!("{name}: {outcome}")).unwrap();
        };
        committer.submit(write, Box::new(done)).unwrap();
    }
    go.send(()).unwrap();
    committer.shutdown();
    drop(told);
    heard.iter().collect()
}

#[test]
fn a_store_that_fails_is_told_to_each_and_the_next_are_carried_out() {
    let failing = Scripted(|batch| {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        match CALLS.fetch_add(1, Relaxed) {
            1 => Err(StoreError::Full),
            2 => panic!("a bug"),
            _ => Ok(batch.iter().map(|_| Ok(Outcome::Done)).collect()),
        }
    });
    let committer = Committer::start(Arc::new(failing), || 1).unwrap();
    let (told, heard) = mpsc::channel();
    let outcome = |name: &str| {
        let told = told.clone();
        let done = move |result: Result<Outcome, SubmitError>| {
            let _ = told.send(result.map_or_else(|error| error.to_string(), |_| "done".into()));
        };
        committer.submit(push(name), Box::new(done)).unwrap();
        heard.recv_timeout(Duration::from_secs(10)).unwrap()
    };
    assert_eq!(outcome("a"), "done");
    assert!(outcome("b").starts_with("the disk is full"));
    assert_eq!(outcome("c"), "the disk failed: the store panicked");
    assert_eq!(outcome("d"), "done");
}

#[test]
fn what_is_damaged_fails_alone() {
    let damaged = Scripted(|batch| match batch.iter().any(|write| id(write) == "bad") {
        true => Err(StoreError::Damaged {
            path: "it".into(),
            reason: "rot".into(),
        }),
        false => Ok(batch.iter().map(|_| Ok(Outcome::Done)).collect()),
    });
    assert_eq!(
        outcomes(damaged, &["a", "b", "bad", "c", "d"]),
        [
            "a: done",
            "b: done",
            "bad: it cannot be read as a store: rot",
            "c: done",
            "d: done"
        ]
    );
}

#[test]
fn where_all_is_damaged_it_is_not_split_for_ever() {
    static CALLS: AtomicU32 = AtomicU32::new(0);
    let damaged = Scripted(|batch| {
        CALLS.fetch_add(1, Relaxed);
        match id(&batch[0]) {
            "first" => Ok(vec![Ok(Outcome::Done)]),
            _ => Err(StoreError::Damaged {
                path: "it".into(),
                reason: "rot".into(),
            }),
        }
    });
    let all = outcomes(damaged, &["x"; BATCH]);
    assert!(all.len() == BATCH && all.iter().all(|told| told.ends_with("rot")));
    assert!(CALLS.load(Relaxed) <= 2 + 2 * SPLITS);
}

#[test]
fn a_done_may_drop_the_last_owner() {
    let committer = Arc::new(Committer::start(store(), || 1).unwrap());
    let (told, heard) = mpsc::channel();
    let (go, gate) = mpsc::channel::<()>();
    let own = committer.clone();
    let done = move |_| {
        gate.recv().unwrap();
        drop(own);
        told.send(()).unwrap();
    };
    committer.submit(push("a"), Box::new(done)).unwrap();
    let (late, heard_late) = mpsc::channel();
    committer
        .submit(
            push("b"),
            Box::new(move |result| late.send(offset(result)).unwrap()),
        )
        .unwrap();
    drop(committer);
    go.send(()).unwrap();
    assert_eq!(heard.recv_timeout(Duration::from_secs(10)), Ok(()));
    let after = heard_late.recv_timeout(Duration::from_secs(10));
    assert_eq!(after, Ok(Offset(2)), "what was accepted is carried out");
}

#[test]
fn a_long_queue_is_not_copied_with_each_batch() {
    let queue = Queue::default();
    let fill = 8 * BATCH;
    for n in 0..fill {
        queue
            .lock()
            .pushes
            .push_back((push(&n.to_string()), Box::new(|_| {})));
    }
    queue.lock().bytes = fill * size(&push("1"));
    let capacity = queue.lock().pushes.capacity();
    for batch in 0..8 {
        assert_eq!(
            queue.lock().pushes.capacity(),
            capacity,
            "it stays in place"
        );
        let next = queue.next().unwrap();
        let first = (batch * BATCH).to_string();
        assert_eq!((next.len(), id(&next[0].0)), (BATCH, &*first));
    }
    assert!(queue.lock().pushes.capacity() < capacity);
    assert_eq!(queue.lock().bytes, 0);
}

#[test]
fn a_push_does_not_wait_for_thousands_of_acknowledgements() {
    let queue = Queue::default();
    let ack = || Write::Ack {
        stream: "user:1".into(),
        device: "phone".into(),
        epoch: Epoch(1),
        offset: Offset(1),
    };
    let done = || -> Done { Box::new(|_| {}) };
    {
        let mut waiting = queue.lock();
        waiting
            .others
            .extend((0..3 * BESIDE).map(|_| (ack(), done())));
        waiting.bytes = size(&push("one"));
        waiting.pushes.push_back((push("one"), done()));
    }
    let first = queue.next().unwrap();
    assert!(matches!(first[0].0, Write::Push(_)));
    assert_eq!(first.len(), 1 + BESIDE);
    // The others have their turn with every commit, and in the end all were carried out.
    assert_eq!(queue.next().unwrap().len(), BESIDE);
    assert_eq!(queue.next().unwrap().len(), BESIDE);
    queue.lock().has_ended = true;
    assert!(queue.next().is_none());
}

#[test]
fn found_a_crowd_of_devices_has_no_push_refused() {
    let register = || Write::Register {
        stream: "user:1".into(),
        device: "d".into(),
        keep: Vec::new(),
    };
    let mut waiting = Waiting::default();
    while waiting.has_room(&register(), 0) {
        waiting.others.push_back((register(), Box::new(|_| {})));
        assert!(waiting.others.len() <= MAX_WRITES);
    }
    let push = push("one");
    assert!(waiting.has_room(&push, size(&push)));
    while waiting.pushes.len() < MAX_WRITES {
        waiting.pushes.push_back((register(), Box::new(|_| {})));
    }
    assert!(!waiting.has_room(&push, size(&push)));
}

/// What one push takes of the disk, others wait for: those before it do not, and of those behind it only for what shares their commit.
#[test]
fn found_a_large_push_shares_no_commit_with_those_before_and_behind_it() {
    let large = |id: &str| match push(id) {
        Write::Push(mut push) => {
            push.body = vec![b'x'; 1024 * 1024].into();
            push.streams = (0..=BATCH_BYTES >> 20)
                .map(|n| format!("user:{n}").into())
                .collect();
            Write::Push(push)
        }
        other => other,
    };
    let queue = Queue::default();
    let written = ["1", "2", "large", "huge", "3", "4"].map(|id| match id {
        "large" | "huge" => large(id),
        _ => push(id),
    });
    for write in written {
        queue.lock().pushes.push_back((write, Box::new(|_| {})));
    }
    queue.lock().bytes = usize::MAX / 2;
    queue.lock().has_ended = true;
    let mut commits = Vec::new();
    while let Some(batch) = queue.next() {
        let ids: Vec<_> = batch.iter().map(|(write, _)| id(write)).collect();
        commits.push(ids.join(" "));
    }
    assert_eq!(commits, ["1 2", "large", "huge", "3 4"]);
}
