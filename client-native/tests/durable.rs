//! Stories of durable streams: what the device says, whose turn it is, and what outlives the process.

mod scripted;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use heartline_client_native::{
    Builder, Client, Consumer, FilePositions, Gap, MemoryPositions, News, PositionStore, Push,
    StoredPosition,
};
use heartline_protocol::{GapReason as Reason, append_place, encode_attached, encode_gap};
use scripted::{Asked, Peer, Server, quiet, soon};
use serde_json::json;
use tokio::sync::mpsc;

const EPOCH: u64 = 0xfe;

/// The server's side of a login with the extension: what the device said of itself.
async fn attach(peer: &mut Peer) -> Asked {
    let login = peer.expect("login").await;
    let uuid = login.uuid.get();
    let data = r#"{"error":0,"body":"登录成功","$hl":{"v":1,"window":256}}"#;
    peer.send(format!(
        r#"{{"type":"respon","event":{uuid},"data":{data}}}"#
    ))
    .await;
    login
}

async fn stored(peer: &mut Peer, offset: u32) {
    let frame = format!(r#"{{"event":"chat1","msg":{offset},"type":"app"}}"#);
    peer.send(append_place(&frame, "user:6", offset)).await;
}

async fn acked(peer: &mut Peer, offset: u32) {
    let text = soon("an acknowledgement", peer.text()).await;
    let wanted = format!(r#"{{"event":"$hl:ack","data":{{"user:6":{offset}}}}}"#);
    assert_eq!(text.as_deref(), Some(&*wanted));
}

fn durable(server: &Server, positions: &MemoryPositions) -> Builder {
    server.builder().durable("phone-1", positions.clone())
}

/// A handler that tells what it is called with, and does well.
fn consume(client: &Client) -> (Consumer, mpsc::UnboundedReceiver<u32>) {
    let (told, heard) = mpsc::unbounded_channel();
    let handler = move |push: Push| {
        let told = told.clone();
        async move {
            told.send(push.parse_msg()?)?;
            Ok(())
        }
    };
    (client.consume("chat*", handler).expect("a consumer"), heard)
}

#[tokio::test]
async fn a_position_outlives_the_process_and_what_was_missed_comes_once() {
    let server = Server::bind().await;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("positions.json");
    let life = |positions: FilePositions| {
        let client = server.builder().durable("phone-1", positions);
        client.connect().expect("a client")
    };
    let first = life(FilePositions::new(&path));
    let (_consumer, mut heard) = consume(&first);
    let mut peer = server.accept().await;
    let login = attach(&mut peer).await;
    assert_eq!(
        login.data["$hl"],
        json!({"v": 1, "device": "phone-1", "at": {}})
    );
    peer.send(encode_attached("user:6", EPOCH, 40)).await;
    for offset in [41, 42, 42, 41] {
        stored(&mut peer, offset).await;
    }
    assert_eq!(soon("a push", heard.recv()).await, Some(41));
    assert_eq!(soon("a push", heard.recv()).await, Some(42));
    acked(&mut peer, 42).await;
    first.close().await;

    let second = life(FilePositions::new(&path));
    let (_consumer, mut heard) = consume(&second);
    let mut peer = server.accept().await;
    let login = attach(&mut peer).await;
    assert_eq!(
        login.data["$hl"]["at"],
        json!({"user:6": ["00000000000000fe", 42, 42]})
    );
    peer.send(encode_attached("user:6", EPOCH, 42)).await;
    stored(&mut peer, 43).await;
    assert_eq!(soon("a push", heard.recv()).await, Some(43));
    assert!(quiet(50, heard.recv()).await);
}

#[tokio::test]
async fn what_was_in_hand_when_the_process_died_comes_again() {
    let server = Server::bind().await;
    let positions = MemoryPositions::default();
    let first = durable(&server, &positions).connect().expect("a client");
    let (told, mut heard) = mpsc::unbounded_channel();
    let never = move |push: Push| {
        let told = told.clone();
        async move {
            let n: u32 = push.parse_msg()?;
            told.send(n)?;
            if n == 2 {
                std::future::pending::<()>().await;
            }
            Ok(())
        }
    };
    let _consumer = first.consume("*", never).expect("a consumer");
    let mut peer = server.accept().await;
    attach(&mut peer).await;
    peer.send(encode_attached("user:6", EPOCH, 0)).await;
    for offset in 1..=3 {
        stored(&mut peer, offset).await;
    }
    assert_eq!(soon("a push", heard.recv()).await, Some(1));
    assert_eq!(soon("a push", heard.recv()).await, Some(2));
    assert!(
        quiet(50, heard.recv()).await,
        "the third overtook the second"
    );
    acked(&mut peer, 1).await;
    first.close().await;

    let second = durable(&server, &positions).connect().expect("a client");
    let (_consumer, mut heard) = consume(&second);
    let mut peer = server.accept().await;
    let login = attach(&mut peer).await;
    assert_eq!(
        login.data["$hl"]["at"],
        json!({"user:6": ["00000000000000fe", 1, 1]})
    );
    peer.send(encode_attached("user:6", EPOCH, 1)).await;
    for offset in 2..=3 {
        stored(&mut peer, offset).await;
    }
    assert_eq!(soon("a push", heard.recv()).await, Some(2));
    assert_eq!(soon("a push", heard.recv()).await, Some(3));
}

#[tokio::test]
async fn a_handler_that_fails_or_panics_gets_it_again_and_a_lost_line_does_not_matter() {
    let server = Server::bind().await;
    let client = durable(&server, &MemoryPositions::default())
        .connect()
        .expect("a client");
    let tries = Arc::new(AtomicU32::new(0));
    let (told, mut heard) = mpsc::unbounded_channel();
    let handler = {
        let tries = Arc::clone(&tries);
        move |push: Push| {
            let (tries, told) = (Arc::clone(&tries), told.clone());
            async move {
                match tries.fetch_add(1, Ordering::Relaxed) {
                    0 => return Err("not now".into()),
                    1 => panic!("and not now"),
                    _ => told.send(push.parse_msg::<u32>()?)?,
                }
                Ok(())
            }
        }
    };
    let _consumer = client.consume("chat1", handler).expect("a consumer");
    let mut peer = server.accept().await;
    attach(&mut peer).await;
    peer.send(encode_attached("user:6", EPOCH, 0)).await;
    stored(&mut peer, 1).await;
    stored(&mut peer, 2).await;
    peer.close(1001, "").await;
    let mut peer = server.accept().await;
    let login = attach(&mut peer).await;
    assert_eq!(
        login.data["$hl"]["at"],
        json!({"user:6": ["00000000000000fe", 2, 0]})
    );
    peer.send(encode_attached("user:6", EPOCH, 2)).await;
    assert_eq!(soon("a push", heard.recv()).await, Some(1));
    assert_eq!(soon("a push", heard.recv()).await, Some(2));
    assert_eq!(tries.load(Ordering::Relaxed), 4);
    acked(&mut peer, 2).await;
}

#[tokio::test]
async fn after_five_failures_it_is_poisonous_and_the_stream_goes_on() {
    let server = Server::bind().await;
    let client = durable(&server, &MemoryPositions::default())
        .connect()
        .expect("a client");
    let mut news = client.news();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handler = {
        let seen = Arc::clone(&seen);
        move |push: Push| {
            let seen = Arc::clone(&seen);
            async move {
                let n: u32 = push.parse_msg()?;
                seen.lock().expect("alone").push(n);
                if n == 1 { Err("never".into()) } else { Ok(()) }
            }
        }
    };
    let _consumer = client.consume("*", handler).expect("a consumer");
    let mut peer = server.accept().await;
    attach(&mut peer).await;
    peer.send(encode_attached("user:6", EPOCH, 0)).await;
    stored(&mut peer, 1).await;
    stored(&mut peer, 2).await;
    acked(&mut peer, 2).await;
    assert_eq!(*seen.lock().expect("alone"), [1, 1, 1, 1, 1, 2]);
    let poisoned = soon("the news", async {
        loop {
            if let News::Poisoned { offset, push, .. } = news.recv().await.expect("news") {
                return (
                    offset,
                    push.expect("a push").parse_msg::<u32>().expect("a number"),
                );
            }
        }
    });
    assert_eq!(poisoned.await, (1, 1));
}

#[tokio::test]
async fn a_gap_is_heard_of_in_its_place() {
    let server = Server::bind().await;
    let client = durable(&server, &MemoryPositions::default())
        .connect()
        .expect("a client");
    let (told, mut heard) = mpsc::unbounded_channel();
    let of_gaps = told.clone();
    let _gaps = client.consume_gaps(move |gap: Gap| {
        let told = of_gaps.clone();
        async move {
            Ok(told.send(format!(
                "{} {} to {} {:?}",
                gap.stream, gap.from, gap.to, gap.reason
            ))?)
        }
    });
    let _pushes = client
        .consume("*", move |push: Push| {
            let told = told.clone();
            async move { Ok(told.send(push.parse_msg::<u32>()?.to_string())?) }
        })
        .expect("a consumer");
    let mut peer = server.accept().await;
    attach(&mut peer).await;
    peer.send(encode_attached("user:6", EPOCH, 3)).await;
    stored(&mut peer, 4).await;
    peer.send(encode_gap("user:6", EPOCH, 5, 8, Reason::Retention))
        .await;
    stored(&mut peer, 9).await;
    peer.send(encode_gap("user:6", EPOCH + 1, 1, 0, Reason::Epoch))
        .await;
    stored(&mut peer, 1).await;
    for wanted in [
        "4",
        "user:6 5 to 8 Retention",
        "9",
        "user:6 1 to 0 Epoch",
        "1",
    ] {
        assert_eq!(soon("news", heard.recv()).await.as_deref(), Some(wanted));
    }
}

#[tokio::test]
async fn a_classic_server_leaves_everything_classic() {
    let server = Server::bind().await;
    let client = durable(&server, &MemoryPositions::default())
        .connect()
        .expect("a client");
    let (_consumer, mut heard) = consume(&client);
    let mut peer = server.accept_login().await;
    peer.push("chat1", json!(7)).await;
    assert_eq!(soon("a push", heard.recv()).await, Some(7));
    client.set_visible(false);
    client.set_visible(true);
    // The probe that belongs to being seen, and no word of streams.
    peer.expect("ping").await;
}

#[tokio::test]
async fn a_hidden_app_is_told_of_where_streams_are() {
    let server = Server::bind().await;
    let client = durable(&server, &MemoryPositions::default())
        .connect()
        .expect("a client");
    let mut peer = server.accept().await;
    attach(&mut peer).await;
    peer.send(encode_attached("user:6", EPOCH, 0)).await;
    stored(&mut peer, 1).await;
    acked(&mut peer, 1).await;
    client.set_visible(false);
    assert_eq!(
        peer.text().await.as_deref(),
        Some(r#"{"event":"$hl:park"}"#)
    );
    client.set_visible(true);
    assert_eq!(
        peer.text().await.as_deref(),
        Some(r#"{"event":"$hl:show"}"#)
    );
}

#[tokio::test]
async fn what_may_be_done_twice_is_sent_again_with_the_same_id() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    let reply = client
        .request("buy", &json!({"of": "tea"}))
        .idempotent()
        .send();
    let first = peer.expect("buy").await;
    peer.close(1001, "").await;
    let mut peer = server.accept_login().await;
    let second = peer.expect("buy").await;
    assert_eq!(
        (first.uuid.get(), &first.data),
        (second.uuid.get(), &second.data)
    );
    peer.grant(&second).await;
    soon("the reply", reply).await.expect("granted");
}

#[tokio::test]
async fn a_device_without_a_proper_name_is_not_made() {
    let server = Server::bind().await;
    for name in ["", "a b", &"x".repeat(65)] {
        let made = server
            .builder()
            .durable(name, MemoryPositions::default())
            .build();
        let error = made.expect_err("a bad name").to_string();
        assert!(error.contains("names no device"), "{error}");
    }
}

#[tokio::test]
async fn what_cannot_be_parsed_is_given_up_at_once_and_reported() {
    let server = Server::bind().await;
    let client = durable(&server, &MemoryPositions::default())
        .connect()
        .expect("a client");
    let mut news = client.news();
    let (_consumer, mut handled) = consume(&client);
    let mut peer = server.accept().await;
    attach(&mut peer).await;
    peer.send(encode_attached("user:6", EPOCH, 0)).await;
    let text = r#"{"event":"chat1","msg":"no number","type":"app"}"#;
    peer.send(append_place(text, "user:6", 1)).await;
    stored(&mut peer, 2).await;
    acked(&mut peer, 2).await;
    assert_eq!(handled.recv().await, Some(2), "the stream goes on");
    let mut failures = 0;
    soon("the news", async {
        loop {
            match news.recv().await.expect("news") {
                News::HandlerFailed { push, error } => {
                    failures += 1;
                    assert_eq!(push.expect("a push").event(), "chat1");
                    assert!(error.contains("invalid type"), "{error}");
                }
                News::Poisoned { offset, .. } => return assert_eq!(offset, 1),
                _ => {}
            }
        }
    })
    .await;
    assert_eq!(failures, 1, "once, and not five times");
}

/// A storage that holds what it is made with, and fails while it is told to.
#[derive(Clone, Default)]
struct Storage {
    known: Vec<(Box<str>, StoredPosition)>,
    fails: Arc<AtomicBool>,
    forgotten: Arc<Mutex<Vec<String>>>,
}

impl PositionStore for Storage {
    fn load(&mut self) -> io::Result<Vec<(Box<str>, StoredPosition)>> {
        Ok(self.known.clone())
    }

    fn save(&mut self, _: &str, _: StoredPosition) -> io::Result<()> {
        match self.fails.load(Ordering::Relaxed) {
            true => Err(io::Error::other("the disk is full")),
            false => Ok(()),
        }
    }

    fn forget(&mut self, stream: &str) -> io::Result<()> {
        self.forgotten
            .lock()
            .expect("no panic")
            .push(stream.to_owned());
        Ok(())
    }
}

#[tokio::test]
async fn a_position_that_could_not_be_stored_is_not_acknowledged_until_it_is() {
    let server = Server::bind().await;
    let storage = Storage::default();
    let client = server.builder().durable("phone-1", storage.clone());
    let client = client.connect().expect("a client");
    let mut news = client.news();
    let (_consumer, mut heard) = consume(&client);
    let mut peer = server.accept().await;
    attach(&mut peer).await;
    peer.send(encode_attached("user:6", EPOCH, 40)).await;
    stored(&mut peer, 41).await;
    acked(&mut peer, 41).await;

    storage.fails.store(true, Ordering::Relaxed);
    stored(&mut peer, 42).await;
    assert_eq!(soon("a push", heard.recv()).await, Some(41));
    assert_eq!(soon("a push", heard.recv()).await, Some(42));
    let not_stored = async {
        loop {
            if let News::PositionNotStored {
                stream,
                handled,
                error,
            } = news.recv().await.expect("news")
            {
                return (stream, handled, error);
            }
        }
    };
    let (stream, handled, error) = soon("the news", not_stored).await;
    assert_eq!((&*stream, handled), ("user:6", 42));
    assert!(error.contains("the disk is full"), "{error}");
    // Acknowledgements wait 200 ms for each other.
    assert!(
        quiet(500, peer.text()).await,
        "nothing that is not stored is acknowledged"
    );

    storage.fails.store(false, Ordering::Relaxed);
    acked(&mut peer, 42).await;
}

#[tokio::test]
async fn a_device_that_remembers_64_streams_makes_room_for_another_and_says_so() {
    let server = Server::bind().await;
    let others = (100..164).map(|id| {
        let position = StoredPosition {
            epoch: 7,
            handled: 1,
        };
        (format!("user:{id}").into(), position)
    });
    let storage = Storage {
        known: others.collect(),
        ..Storage::default()
    };
    let client = server.builder().durable("phone-1", storage.clone());
    let client = client.build().expect("a client");
    let mut news = client.news();
    let (_consumer, mut heard) = consume(&client);
    client.start();
    let mut peer = server.accept().await;
    attach(&mut peer).await;
    peer.send(encode_attached("user:6", EPOCH, 0)).await;
    stored(&mut peer, 1).await;
    assert_eq!(
        soon("the push of the 65th user", heard.recv()).await,
        Some(1)
    );
    acked(&mut peer, 1).await;
    let forgotten = async {
        loop {
            if let News::PositionForgotten { stream } = news.recv().await.expect("news") {
                return stream;
            }
        }
    };
    assert_eq!(
        &*soon("the news", forgotten).await,
        "user:100",
        "the one stored longest ago"
    );
    assert_eq!(*storage.forgotten.lock().expect("no panic"), ["user:100"]);
}
