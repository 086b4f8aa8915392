//! Stories of the desk on a store that says it has failed when it has not, or takes only some of what is written.

use super::*;
use crate::delivery::{Answer, NoHooks};
use crate::hub::ConnectionRef;
use crate::net::{Command, Mailbox};
use crate::store::{
    Deadline, DeviceState, EmbeddedStore, Options, Page, PageLimits, PushRecord, Receipts,
    Retention, StoreError, StreamState, Trimmed, WriteError,
};
use mio::{Poll, Token, Waker};
use std::sync::atomic::{AtomicBool, AtomicU32};

/// A store that takes the next commit of a push, and says that it has not; and that fails where a deadline is to be let go of.
#[derive(Debug)]
struct Late {
    inner: EmbeddedStore,
    lies: AtomicBool,
    keeps_deadlines: AtomicBool,
    is_full: AtomicBool,
    /// Commits that tried to let go of a deadline.
    fired: AtomicU32,
}

impl Late {
    fn new() -> Self {
        let retention = Retention {
            max_age_ms: u64::MAX,
            max_messages: u64::MAX,
            max_bytes: u64::MAX,
        };
        let options = Options::new(retention, Box::new(|| 1));
        Self {
            inner: EmbeddedStore::in_memory(options).unwrap(),
            lies: AtomicBool::new(false),
            keeps_deadlines: AtomicBool::new(false),
            is_full: AtomicBool::new(false),
            fired: AtomicU32::new(0),
        }
    }
}

fn hub() -> (Poll, Arc<Hub>) {
    let poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    let mailboxes = vec![Arc::new(Mailbox::new(waker))];
    (poll, Arc::new(Hub::new(10, mailboxes, Arc::default())))
}

type Committed = Result<Vec<Result<Outcome, WriteError>>, StoreError>;

impl Store for Late {
    fn commit(&self, now_ms: u64, batch: &[Write]) -> Committed {
        if self.is_full.load(Relaxed) {
            return Err(StoreError::Full);
        }
        let is_fired =
            |write: &Write| matches!(write, Write::Fired { push, .. } if !push.is_empty());
        if batch.iter().any(is_fired) {
            self.fired.fetch_add(1, Relaxed);
            if self.keeps_deadlines.load(Relaxed) {
                return Err(StoreError::Full);
            }
        }
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
    fn receipts(&self, stream: &str, offset: Offset, limit: usize) -> Result<Receipts, StoreError> {
        self.inner.receipts(stream, offset, limit)
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
    let (_poll, hub) = hub();
    let user = User::parse("user:6").unwrap();
    for (slot, is_reliable) in [(1, false), (2, true)] {
        let at = ConnectionRef::new(0, slot, 1).reliable(is_reliable);
        hub.log_in(at, None, user.clone()).unwrap();
    }
    let store = Late::new();
    store.lies.store(true, Relaxed);
    let store = Arc::new(store);
    let delivery = Delivery::start(store, hub.clone(), Arc::new(NoHooks), u64::MAX).unwrap();
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

#[derive(Debug, Default)]
struct Counting(AtomicU32);

impl Hooks for Counting {
    fn undelivered(&self, _: &crate::delivery::Undelivered) {
        self.0.fetch_add(1, Relaxed);
    }
}

#[tokio::test]
async fn a_deadline_that_the_store_does_not_let_go_of_is_told_once_all_the_same() {
    let (_poll, hub) = hub();
    let store = Arc::new(Late::new());
    store.keeps_deadlines.store(true, Relaxed);
    let heard = Arc::new(Counting::default());
    let delivery = Delivery::start(store.clone(), hub, heard.clone(), u64::MAX).unwrap();
    let user = User::parse("user:6").unwrap();
    let mut push = draft(&user);
    push.push.undelivered_ms = Some(1);
    delivery.push(push).await.unwrap();
    let until = async |times: u32| {
        while store.fired.load(Relaxed) < times {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    until(4).await;
    assert_eq!(heard.0.load(Relaxed), 1);
    store.keeps_deadlines.store(false, Relaxed);
    while !store.inner.due(u64::MAX, 1).unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(heard.0.load(Relaxed), 1);
}

/// What was told, and when.
#[derive(Debug, Default)]
struct Recording(std::sync::Mutex<Vec<(std::time::SystemTime, crate::delivery::Undelivered)>>);

impl Hooks for Recording {
    fn undelivered(&self, undelivered: &crate::delivery::Undelivered) {
        let told = (std::time::SystemTime::now(), undelivered.clone());
        self.0.lock().unwrap().push(told);
    }
}

/// A server that starts over a store in which a deadline waits.
#[tokio::test]
async fn undelivered_names_whose_devices_of_the_time_have_not_acknowledged_and_not_before_time() {
    let (_poll, hub) = hub();
    let store = Arc::new(Late::new());
    let begun = std::time::SystemTime::now();
    let now_ms = begun
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_millis() as u64;
    let put = |write| {
        store
            .inner
            .commit(now_ms, &[write])
            .unwrap()
            .remove(0)
            .unwrap()
    };
    let register = |stream: &str, device: &str| {
        put(Write::Register {
            stream: stream.into(),
            device: device.into(),
            keep: Vec::new(),
        })
    };
    let push = |id: &str| {
        let mut push = draft(&User::parse("user:1").unwrap()).push;
        push.id = id.into();
        push.streams = (1..=4).map(|n| format!("user:{n}").into()).collect();
        push.undelivered_ms = (id == "deadline").then_some(1);
        put(Write::Push(push))
    };
    let ack = |stream: &str, device: &str, offset| {
        let epoch = store.inner.stream(stream).unwrap().unwrap().epoch;
        put(Write::Ack {
            stream: stream.into(),
            device: device.into(),
            epoch,
            offset: Offset(offset),
        })
    };
    for (stream, device) in [
        ("user:1", "a"),
        ("user:1", "b"),
        ("user:2", "a"),
        ("user:3", "a"),
    ] {
        register(stream, device);
    }
    push("before");
    push("deadline");
    push("behind");
    // Of `user:1` one of two has it; of `user:2` the one that was there has what came before, and the one that came later has all
    // that came since; `user:3` has it to the offset; `user:4` has nobody.
    ack("user:1", "a", 3);
    ack("user:2", "a", 1);
    register("user:2", "late");
    push("last");
    ack("user:2", "late", 4);
    ack("user:3", "a", 2);
    let heard = Arc::new(Recording::default());
    let _delivery = Delivery::start(store.clone(), hub, heard.clone(), u64::MAX).unwrap();
    while !store.inner.due(u64::MAX, 1).unwrap().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let told = heard.0.lock().unwrap().clone();
    let [(at, undelivered)] = &told[..] else {
        panic!("told once: {told:?}");
    };
    assert_eq!(&*undelivered.push, "deadline");
    let to: Vec<&str> = undelivered.to.iter().map(|to| &**to).collect();
    assert_eq!(to, ["user:2", "user:4"]);
    // Acknowledgements that came in time have a second to be written.
    let waited = at.duration_since(begun).unwrap();
    assert!(waited.as_millis() >= 1_000, "{waited:?}");
}

#[tokio::test]
async fn a_push_whose_acknowledgements_find_no_room_to_wait_is_refused_and_not_stored() {
    let (_poll, hub) = hub();
    let store = Arc::new(Late::new());
    let delivery = Delivery::start(store.clone(), hub, Arc::new(NoHooks), u64::MAX).unwrap();
    let user = User::parse("user:6").unwrap();
    let waiting = || Draft {
        wait_acked: true,
        ..draft(&user)
    };
    let all = delivery.shared.waiting.reserve(Waiting::MAX).unwrap();
    let refused = delivery.push(waiting()).await;
    assert!(matches!(refused, Err(PushError::Crowded(_))), "{refused:?}");
    assert_eq!(store.inner.push("order-17").unwrap(), None);
    drop(all);
    let pushed = delivery.push(waiting()).await.unwrap();
    let awaited = pushed.awaited.unwrap();
    let subject = Subject {
        at: ConnectionRef::new(0, 1, 1),
        turn: 0,
        stream: user.clone(),
        device: "phone".into(),
    };
    delivery.ack(&subject, pushed.places[0].0, Offset(1));
    awaited.all().await;
    let many = Draft {
        recipients: vec![user.clone(); Waiting::MAX + 1],
        ..waiting()
    };
    let refused = delivery.push(many).await;
    assert!(matches!(refused, Err(PushError::TooManyAwaited)));
}

/// What a device is told at its attaching, from the shard's mailbox.
async fn attached(hub: &Hub, delivery: &Delivery, subject: &Subject, ask: Ask) -> (u64, Offset) {
    delivery.ask(subject.clone(), ask);
    loop {
        for command in hub.shard(0).take() {
            if let Command::Ready(ready) = command {
                let Answer::Attached(start, _) = ready.answer else {
                    panic!("{:?}", ready.answer)
                };
                return (start.cursor.epoch().0, start.cursor.sent());
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_new_device_is_logged_in_on_a_full_disk_and_registered_once_there_is_room() {
    let (_poll, hub) = hub();
    let store = Arc::new(Late::new());
    let delivery =
        Delivery::start(store.clone(), hub.clone(), Arc::new(NoHooks), u64::MAX).unwrap();
    let user = User::parse("user:6").unwrap();
    delivery.push(draft(&user)).await.unwrap();
    store.is_full.store(true, Relaxed);
    let subject = |name: &str, device: &str| Subject {
        at: ConnectionRef::new(0, 1, 1),
        turn: 0,
        stream: User::parse(name).unwrap(),
        device: device.into(),
    };
    let phone = subject("user:6", "phone");
    let at = attached(&hub, &delivery, &phone, Ask::Attach(None)).await;
    assert_eq!(at, (1, Offset(1)), "at the end of its stream");
    let stranger = subject("user:7", "tablet");
    let at = attached(&hub, &delivery, &stranger, Ask::Attach(None)).await;
    assert_eq!(at, (0, Offset(0)), "there is no stream to stand in");
    store.is_full.store(false, Relaxed);
    while store.device("user:6", "phone").unwrap().is_none()
        || store.device("user:7", "tablet").unwrap().is_none()
    {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

/// Where a connection stands says nothing of what its device has handled.
#[tokio::test]
async fn a_stream_that_begins_anew_acknowledges_nothing() {
    let (_poll, hub) = hub();
    let store = Arc::new(Late::new());
    let delivery =
        Delivery::start(store.clone(), hub.clone(), Arc::new(NoHooks), u64::MAX).unwrap();
    let user = User::parse("user:6").unwrap();
    let subject = Subject {
        at: ConnectionRef::new(0, 1, 1),
        turn: 0,
        stream: user.clone(),
        device: "phone".into(),
    };
    attached(&hub, &delivery, &subject, Ask::Attach(None)).await;
    delivery.push(draft(&user)).await.unwrap();
    let position = heartline_protocol::Position {
        epoch: 1,
        received: 1,
        handled: 1,
    };
    let acked = async || {
        delivery.write_acks().await;
        store.device("user:6", "phone").unwrap().unwrap().acked
    };
    attached(&hub, &delivery, &subject, Ask::AttachAnew(position)).await;
    assert_eq!(acked().await, Offset(0));
    attached(&hub, &delivery, &subject, Ask::Attach(Some(position))).await;
    assert_eq!(acked().await, Offset(1));
}

/// The store writes the body of a push for each recipient, and all others wait for that.
#[tokio::test]
async fn a_push_that_takes_too_much_of_the_store_is_refused_and_not_stored() {
    let (_poll, hub) = hub();
    let store = Arc::new(Late::new());
    let size = draft(&User::parse("user:6").unwrap()).push.body.len() as u64;
    let limit = 2 * size + 1;
    let delivery = Delivery::start(store.clone(), hub, Arc::new(NoHooks), limit).unwrap();
    let to = |count: u64, id: &str| {
        let users = (1..=count).map(|n| User::parse(&format!("user:{n}")).unwrap());
        let recipients: Vec<_> = users.collect();
        let mut draft = draft(&recipients[0]);
        draft.push.id = id.into();
        draft.push.streams = recipients.iter().map(|user| user.as_str().into()).collect();
        draft.recipients = recipients;
        draft
    };
    let refused = delivery.push(to(3, "three")).await.unwrap_err();
    assert!(matches!(refused, PushError::TooLarge { .. }), "{refused:?}");
    let told = refused.to_string();
    let limit = format!("limits.max_push_bytes is {limit}: split it into pushes to at most 2 ");
    assert!(told.contains(&limit), "{told}");
    assert_eq!(store.inner.push("three").unwrap(), None);
    delivery.push(to(2, "two")).await.unwrap();
    // What goes to a single recipient cannot be split; the bound on bodies holds for it.
    let mut one = to(1, "one");
    one.push.body = vec![b'x'; 10 * size as usize].into();
    delivery.push(one).await.unwrap();
}
