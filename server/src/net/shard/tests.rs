//! Stories of one shard that runs no loop of its own: the test decides when a delivery, an answer of the store or a socket has its turn.
//! Sockets and store are real.

mod relogin;
mod sockets;
mod store;

use super::*;
use crate::config::Secret;
use crate::delivery::{Draft, NoHooks};
use crate::hub::Door;
use crate::net::frame::{self, Opcode};
use crate::net::mailbox::{Backlog, Newcomer};
use crate::store::Push;
use bytes::Bytes;
use heartline_protocol::{LoginExtension, User, classic_token, encode_login_extended};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::time::Instant;

/// A shard, its world, and the other ends of its sockets.
struct Story {
    shard: Shard,
    door: Arc<Door>,
    listener: TcpListener,
    /// By slot: what a device would hold.
    devices: Vec<Option<TcpStream>>,
    /// Commands that were posted and had no turn yet.
    posted: VecDeque<Command>,
    pushes: u32,
}

impl Story {
    fn new() -> Self {
        let mut config = Config {
            roles: [("user".to_owned(), Secret::new("K"))].into(),
            ..Config::default()
        };
        config.store.path = None;
        // Room behind a flooded socket.
        config.limits.outbound_queue_bytes = 64 * 1024 * 1024;
        let poll = Poll::new().unwrap();
        let waker = mio::Waker::new(poll.registry(), WAKER).unwrap();
        let mailbox = Arc::new(Mailbox::new(waker));
        let backlog = Arc::new(Backlog::default());
        let hub = Arc::new(Hub::new(10, vec![mailbox.clone()], backlog));
        let store = config.store.open().unwrap();
        let world = Arc::new(World {
            manner: Manner::Classic,
            compression: Compression::new(0),
            processors: Processors::new(1),
            delivery: Delivery::start(store, hub.clone(), Arc::new(NoHooks), u64::MAX).unwrap(),
            hub,
            presence: Presence::start(None).unwrap(),
            metrics: Metrics::default(),
            config,
        });
        Self {
            shard: Shard::new(0, poll, mailbox, world),
            door: Door::new(100, 0),
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            devices: Vec::new(),
            posted: VecDeque::new(),
            pushes: 0,
        }
    }

    /// A device connects; its slot.
    fn connect(&mut self) -> usize {
        let device = TcpStream::connect(self.listener.local_addr().unwrap()).unwrap();
        device
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        let (socket, _) = self.listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let slot = self.shard.connections.vacant_key();
        self.shard.adopt(Newcomer {
            socket,
            first_bytes: Vec::new(),
            tls: None,
            deflates: false,
            permit: self.door.enter(IpAddr::from([127, 0, 0, 1])).unwrap(),
        });
        if self.devices.len() <= slot {
            self.devices.resize_with(slot + 1, || None);
        }
        self.devices[slot] = Some(device);
        slot
    }

    /// A device's message reaches the shard.
    fn say(&mut self, slot: usize, text: &str) {
        self.shard.take_in(slot, &mut masked(text));
    }

    fn login(&mut self, slot: usize, user: &str) {
        self.say(slot, &login(user));
    }

    /// Logs in as `user`, and names the device `phone`.
    fn attach(&mut self, slot: usize, user: &str) {
        self.say(slot, &attach(user));
    }

    /// Logs in the same way, and waits until the shard has the store's answer and the device its own.
    fn attached(&mut self, user: &str) -> usize {
        let slot = self.connect();
        self.attach(slot, user);
        self.store_answers();
        assert_eq!(self.hears(slot), [accepted(user), format!("at {user}:0")]);
        slot
    }

    /// A push that is not stored is accepted; nothing of it is delivered yet.
    fn publish(&mut self, users: &[&str], message: &str) {
        let users: Vec<User> = users.iter().map(|name| user(name)).collect();
        let frame = frame::text(text(message).as_bytes());
        self.shard.world.hub.publish(&users, &frame, None).unwrap();
    }

    /// The same with a push that is stored.
    fn store(&mut self, users: &[&str], message: &str) {
        self.pushes += 1;
        let recipients: Vec<User> = users.iter().map(|name| user(name)).collect();
        let body = Bytes::from(text(message));
        let draft = Draft {
            push: Push {
                id: format!("push-{}", self.pushes).into(),
                fingerprint: 1,
                streams: users.iter().map(|name| (*name).into()).collect(),
                body: body.clone(),
                ttl_ms: None,
                collapse_key: None,
                undelivered_ms: None,
            },
            recipients,
            frame: frame::text(&body),
            deflated: None,
            wait_acked: false,
        };
        futures::executor::block_on(self.shard.world.delivery.push(draft)).unwrap();
    }

    /// The shard takes the deliveries that were posted, and makes them.
    fn deliver(&mut self) {
        self.posted.extend(self.shard.mailbox.take());
        for command in std::mem::take(&mut self.posted) {
            match command {
                Command::Deliver(delivery) => self.shard.fanout.push(delivery),
                other => self.posted.push_back(other),
            }
        }
        while !self.shard.fanout.is_idle() {
            self.shard.deliver_slice();
        }
    }

    /// Waits for the next answer of the store.
    fn answer(&mut self) -> crate::delivery::Ready {
        let mut events = Events::with_capacity(4);
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            self.posted.extend(self.shard.mailbox.take());
            let is_ready = |command: &Command| matches!(command, Command::Ready(_));
            if let Some(at) = self.posted.iter().position(is_ready)
                && let Some(Command::Ready(ready)) = self.posted.remove(at)
            {
                return *ready;
            }
            assert!(Instant::now() < deadline, "the store does not answer");
            let wait = Some(Duration::from_secs(1));
            // The mailbox wakes it.
            let _ = self.shard.poll.poll(&mut events, wait);
        }
    }

    /// Waits for the next answer of the store, and gives it to the shard.
    fn store_answers(&mut self) {
        let ready = self.answer();
        self.shard.ready(ready);
    }

    /// The frames that have left for a device, in short: the answers of logins, places, and messages.
    fn hears(&mut self, slot: usize) -> Vec<String> {
        // Whatever left before it is read before it.
        self.say(slot, r#"{"event":"ping","uuid":"marker"}"#);
        let device = self.devices[slot].as_mut().unwrap();
        let mut heard = Vec::new();
        loop {
            let text = read_frame(device);
            if text.contains("marker") {
                return heard;
            }
            heard.push(in_short(&text));
        }
    }
}

fn user(name: &str) -> User {
    User::parse(name).unwrap()
}

fn text(message: &str) -> String {
    format!(r#"{{"event":"chat1","msg":"{message}","type":"app"}}"#)
}

fn token(name: &str) -> String {
    classic_token(user(name).id(), "K")
}

fn login(name: &str) -> String {
    let token = token(name);
    format!(r#"{{"event":"login","data":{{"u":"{name}","token":"{token}"}},"uuid":"{name}"}}"#)
}

fn attach(name: &str) -> String {
    let extension = LoginExtension {
        device: "phone".into(),
        positions: Vec::new(),
    };
    let data = encode_login_extended(name, &token(name), &extension);
    format!(r#"{{"event":"login","data":{data},"uuid":"{name}"}}"#)
}

/// How [`Story::hears`] spells the answer to a login.
fn accepted(name: &str) -> String {
    format!("accepted {name}")
}

fn masked(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame::append(&mut bytes, Opcode::Text, text.as_bytes());
    let head = bytes.len() - text.len();
    bytes[1] |= 0x80;
    // A mask of zeros leaves the payload as it is.
    bytes.splice(head..head, [0; 4]);
    bytes
}

fn read_frame(socket: &mut TcpStream) -> String {
    let mut head = [0; 2];
    socket.read_exact(&mut head).expect("a frame in time");
    let length = match head[1] {
        126 => {
            let mut long = [0; 2];
            socket.read_exact(&mut long).unwrap();
            u16::from_be_bytes(long).into()
        }
        127 => {
            let mut long = [0; 8];
            socket.read_exact(&mut long).unwrap();
            u64::from_be_bytes(long) as usize
        }
        short => usize::from(short),
    };
    let mut payload = vec![0; length];
    socket.read_exact(&mut payload).unwrap();
    match head[0] {
        0x81 => String::from_utf8(payload).unwrap(),
        other => format!("opcode {other:x}"),
    }
}

fn in_short(text: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(text).unwrap();
    if json["type"] == "respon" {
        let answer = if json["data"]["error"] == 0 {
            "accepted"
        } else {
            "refused"
        };
        return format!("{answer} {}", json["event"].as_str().unwrap());
    }
    if json["type"] == "$hl" {
        let at = &json["at"];
        return format!("at {}:{}", at[0].as_str().unwrap(), at[2]);
    }
    let message = json["msg"].as_str().unwrap_or_default();
    let short: String = message.chars().take(20).collect();
    match json["$hl"][1].as_u64() {
        Some(offset) => format!("{short}@{offset}"),
        None => short,
    }
}
