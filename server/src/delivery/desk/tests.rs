//! Stories of the desk on a store that says it has failed when it has not.

use super::*;
use crate::delivery::NoHooks;
use crate::hub::ConnectionRef;
use crate::net::{Command, Mailbox};
use crate::store::{
    Deadline, DeviceState, EmbeddedStore, Options, Page, PageLimits, PushRecord, Retention,
    StoreError, StreamState, Trimmed, WriteError,
};
use mio::{Poll, Token, Waker};
use std::sync::atomic::AtomicBool;

/// A store that takes the next commit, and says that it has not.
#[derive(Debug)]
struct Late {
    inner: EmbeddedStore,
    lies: AtomicBool,
}

type Committed = Result<Vec<Result<Outcome, WriteError>>, StoreError>;

impl Store for Late {
    fn commit(&self, now_ms: u64, batch: &[Write]) -> Committed {
        let done = self.inner.commit(now_ms, batch)?;
        let has_push = batch.iter().any(|write| matches!(write, Write::Push(_)));
        if has_push && self.lies.swap(false, Relaxed) {
            return Err(StoreError::Io("it came too late".into()));
        }
        Ok(done)
    }
    fn stream(&self, name: &str) -> Result<Option<StreamState>, StoreError> {
        self.inner.stream(name)
    }
    fn device(&self, stream: &str, device: &str) -> Result<Option<DeviceState>, StoreError> {
        self.inner.device(stream, device)
    }
    fn devices(
        &self,
        stream: &str,
        limit: usize,
    ) -> Result<Vec<(Box<str>, DeviceState)>, StoreError> {
        self.inner.devices(stream, limit)
    }
    fn read(
        &self,
        stream: &str,
        after: Offset,
        limits: PageLimits,
        now_ms: u64,
    ) -> Result<Option<Page>, StoreError> {
        self.inner.read(stream, after, limits, now_ms)
    }
    fn push(&self, id: &str) -> Result<Option<PushRecord>, StoreError> {
        self.inner.push(id)
    }
    fn due(&self, now_ms: u64, limit: usize) -> Result<Vec<Deadline>, StoreError> {
        self.inner.due(now_ms, limit)
    }
    fn trim(&self, now_ms: u64, budget: usize) -> Result<Trimmed, StoreError> {
        self.inner.trim(now_ms, budget)
    }
}

fn draft(user: &User) -> Draft {
    Draft {
        push: Push {
            id: "order-17".into(),
            fingerprint: 1,
            streams: vec![user.as_str().into()],
            body: r#"{"event":"chat1","msg":1}"#.into(),
            ttl_ms: None,
            collapse_key: None,
            undelivered_ms: None,
        },
        recipients: vec![user.clone()],
        frame: Bytes::from_static(b"classic"),
        deflated: None,
        wait_acked: false,
    }
}

/// Found by the simulation (seed 20570).
#[tokio::test]
async fn found_a_push_that_was_stored_though_it_failed_reaches_the_attached_with_its_retry() {
    let poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let hub = Arc::new(Hub::new(
        10,
        vec![Arc::new(Mailbox::new(waker))],
        Arc::default(),
    ));
    let user = User::parse("user:6").unwrap();
    for (slot, is_reliable) in [(1, false), (2, true)] {
        let at = ConnectionRef::new(0, slot, 1).reliable(is_reliable);
        hub.log_in(at, None, user.clone()).unwrap();
    }
    let retention = Retention {
        max_age_ms: u64::MAX,
        max_messages: u64::MAX,
        max_bytes: u64::MAX,
    };
    let options = Options::new(retention, Box::new(|| 1));
    let store = Arc::new(Late {
        inner: EmbeddedStore::in_memory(options).unwrap(),
        lies: AtomicBool::new(true),
    });
    let delivery = Delivery::start(store, hub.clone(), Arc::new(NoHooks)).unwrap();
    let sent = || -> Vec<(Vec<usize>, bool)> {
        let commands = hub.shard(0).take().into_iter();
        let told = commands.filter_map(|command| match command {
            Command::Deliver(delivery) => Some((
                delivery.targets.iter().map(|at| at.slot()).collect(),
                delivery.place.is_some(),
            )),
            _ => None,
        });
        told.collect()
    };

    assert!(delivery.push(draft(&user)).await.is_err());
    assert_eq!(sent(), []);
    let again = delivery.push(draft(&user)).await.unwrap();
    assert!(again.repeated);
    assert_eq!(
        sent(),
        [(vec![2], true)],
        "not to the classic device: it may have it"
    );
}
