//! permessage-deflate over real sockets: who negotiates it gets compressed pushes, others get the same as ever, and a bomb
//! is stopped.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use heartline_server::Config;
use line::{Line, PATIENCE, login};
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

mod line;

/// A client that compresses, and forgets its window after each message.
struct Squeezer {
    socket: TcpStream,
    /// Header names in lower case.
    answer: BTreeMap<String, String>,
}

/// One frame of the server.
#[derive(Debug, PartialEq)]
struct Frame {
    first: u8,
    payload: Vec<u8>,
}

impl Squeezer {
    async fn connect(line: &Line, offer: &str) -> Self {
        let mut socket = TcpStream::connect(line.address).await.unwrap();
        let handshake = format!(
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: {offer}\r\n\r\n"
        );
        socket.write_all(handshake.as_bytes()).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(socket.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let answer = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { socket, answer }
    }

    fn extension(&self) -> Option<&str> {
        self.answer
            .get("sec-websocket-extensions")
            .map(String::as_str)
    }

    /// Sends a frame under a mask of zeros.
    async fn send(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first];
        match payload.len() {
            short @ 0..126 => frame.push(0x80 | short as u8),
            long => {
                frame.push(0xff);
                frame.extend((long as u64).to_be_bytes());
            }
        }
        frame.extend([0; 4]);
        frame.extend(payload);
        self.socket.write_all(&frame).await.unwrap();
    }

    async fn next(&mut self) -> Frame {
        let read = async {
            let first = self.socket.read_u8().await.unwrap();
            let length = match self.socket.read_u8().await.unwrap() {
                126 => self.socket.read_u16().await.unwrap() as usize,
                127 => self.socket.read_u64().await.unwrap() as usize,
                short => short.into(),
            };
            let mut payload = vec![0; length];
            self.socket.read_exact(&mut payload).await.unwrap();
            Frame { first, payload }
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("a frame in time")
    }
}

impl Frame {
    /// Text, whether it came compressed, and what it weighed.
    fn text(&self) -> (String, bool) {
        let is_compressed = match self.first {
            0xc1 => true,
            0x81 => false,
            other => panic!("not a text: {other:x}"),
        };
        let bytes = match is_compressed {
            true => inflate(&self.payload),
            false => self.payload.clone(),
        };
        (String::from_utf8(bytes).unwrap(), is_compressed)
    }
}

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 100);
    Compress::new(Compression::best(), false)
        .compress_vec(text, &mut out, FlushCompress::Sync)
        .unwrap();
    out.truncate(out.len() - 4);
    out
}

fn inflate(payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 << 20);
    let whole = [payload, &[0, 0, 0xff, 0xff]].concat();
    Decompress::new(false)
        .decompress_vec(&whole, &mut out, FlushDecompress::Sync)
        .unwrap();
    out
}

async fn line(change: impl FnOnce(&mut Config)) -> Line {
    Line::start(|config| {
        config.deflate_min_bytes = 128;
        change(config);
    })
    .await
}

const OFFER: &str = "permessage-deflate; client_max_window_bits";

#[tokio::test]
async fn pushes_are_compressed_for_those_who_take_it_and_only_for_them() {
    let line = line(|_| {}).await;
    let mut plain = line.logged_in("user:1").await;
    let mut phone = Squeezer::connect(&line, OFFER).await;
    assert_eq!(
        phone.extension(),
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover")
    );
    phone.send(0xc1, &deflate(login("user:1").as_bytes())).await;
    let (answer, _) = phone.next().await.text();
    assert!(answer.contains("登录成功"), "{answer}");

    let long = "心跳线 ".repeat(200);
    for _ in 0..3 {
        // The same each time: no window is carried from one message to the next.
        let body = format!("event=chat&to=user:1&msg={long}");
        assert_eq!(line.push(&body).await, (200, "ok".into()));
        let frame = phone.next().await;
        let (text, is_compressed) = frame.text();
        assert!(is_compressed && frame.payload.len() < 200, "{frame:?}");
        assert_eq!(text, plain.hear().await);
        assert!(text.contains(&long));
    }
    assert_eq!(line.push("event=chat&to=user:1&msg=hi").await.0, 200);
    let (text, is_compressed) = phone.next().await.text();
    assert!(!is_compressed, "not worth it: {text}");
    assert_eq!(text, plain.hear().await);
}

#[tokio::test]
async fn an_attached_device_gets_its_stored_pushes_compressed_each_with_its_place() {
    let line = line(|_| {}).await;
    let attach = |user: &str| {
        let extension = r#","$hl":{"v":1,"device":"phone","at":{}}}"#;
        login(user).replacen('}', extension, 1)
    };
    let mut devices = Vec::new();
    for user in ["user:1", "user:2"] {
        let mut packed = Squeezer::connect(&line, OFFER).await;
        packed.send(0xc1, &deflate(attach(user).as_bytes())).await;
        let (answer, _) = packed.next().await.text();
        assert!(answer.contains(r#""window""#), "{answer}");
        assert!(packed.next().await.text().0.contains(r#""at""#));
        let mut plain = line.device().await;
        plain.say(&attach(user).replace("phone", "tablet")).await;
        assert!(plain.hear().await.contains(r#""window""#));
        assert!(plain.hear().await.contains(r#""at""#));
        devices.push((user, packed, plain));
    }
    let long = "心跳线 ".repeat(200);
    for n in 1..=3 {
        let body = format!(r#"{{"to":["user:1","user:2"],"event":"chat1","msg":"{long}"}}"#);
        let request = format!(
            "POST /api/v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(line.http(&request).await.0, 200);
        for (user, packed, plain) in &mut devices {
            let frame = packed.next().await;
            let (text, is_compressed) = frame.text();
            assert!(is_compressed && frame.payload.len() < 200, "{frame:?}");
            let place = format!(r#","$hl":["{user}",{n}]}}"#);
            assert!(text.contains(&long) && text.ends_with(&place), "{text}");
            assert_eq!(text, plain.hear().await);
        }
    }
}

#[tokio::test]
async fn it_is_off_unless_it_was_asked_for() {
    let line = Line::start(|_| {}).await;
    let mut phone = Squeezer::connect(&line, OFFER).await;
    assert_eq!(phone.extension(), None);
    phone.send(0xc1, &deflate(b"{}")).await;
    let close = phone.next().await;
    assert_eq!((close.first, &close.payload[..2]), (0x88, &[3, 234][..]));
}

#[tokio::test]
async fn who_offers_nothing_must_not_send_compressed_messages() {
    let line = line(|_| {}).await;
    for offer in ["", "permessage-deflate; server_max_window_bits=9"] {
        let mut phone = Squeezer::connect(&line, offer).await;
        assert_eq!(phone.extension(), None);
        phone.send(0xc1, &deflate(b"{}")).await;
        assert_eq!(phone.next().await.payload[..2], [3, 234], "1002");
    }
}

#[tokio::test]
async fn a_bomb_is_1009_and_garbage_is_1007() {
    let line = line(|config| config.limits.max_message_bytes = 100_000).await;
    let bomb = deflate(&vec![b' '; 30_000_000]);
    assert!(bomb.len() < 100_000);
    let mut attacker = Squeezer::connect(&line, OFFER).await;
    attacker.send(0xc1, &bomb).await;
    assert_eq!(attacker.next().await.payload[..2], [3, 241]);

    let mut broken = Squeezer::connect(&line, OFFER).await;
    broken.send(0xc1, &[0xff; 50]).await;
    assert_eq!(broken.next().await.payload[..2], [3, 239]);

    let mut other = line.logged_in("user:1").await;
    other.hears_nothing_else().await;
}

#[tokio::test]
async fn many_small_bombs_are_counted_by_what_they_inflate_to() {
    let line = line(|config| config.limits.frame_burst = 5_000).await;
    let mut attacker = Squeezer::connect(&line, OFFER).await;
    let bomb = deflate(&vec![b' '; 1_000_000]);
    for _ in 0..6 {
        attacker.send(0xc1, &bomb).await;
    }
    let close = attacker.next().await;
    assert_eq!(close.payload[..2], 4003u16.to_be_bytes());
}
