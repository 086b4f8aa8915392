//! Stories of the one thread that writes for all.

use super::*;
use crate::store::{EmbeddedStore, Offset, Options, Push, Retention};
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
