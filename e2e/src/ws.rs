//! A WebSocket peer in raw bytes: it can say anything, correct or not, and sees exactly what comes back.

use std::collections::VecDeque;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::token::token_for;

/// How long an answer may take unless the test says otherwise: generous, machines under test are busy.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// The sample key of RFC 6455 §1.3, and the accept value that belongs to it.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Any mask but zero shows whether the server unmasks.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// RFC 6455 opcodes.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    Continuation = 0,
    Text = 1,
    Binary = 2,
    Close = 8,
    Ping = 9,
    Pong = 10,
}

/// What a peer saw next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A whole text frame.
    Text(String),
    /// A whole binary frame.
    Binary(Vec<u8>),
    /// A ping control frame.
    Ping(Vec<u8>),
    /// A pong control frame.
    Pong(Vec<u8>),
    /// A close frame; 1005 when it has no code.
    Close(u16, String),
    /// The connection ended (or was reset).
    End,
    /// Nothing, in the time given.
    Nothing,
}

/// One WebSocket connection.
#[derive(Debug)]
pub struct Peer {
    stream: TcpStream,
    unread: Vec<u8>,
    set_aside: VecDeque<String>,
    upgrade_head: String,
    requests: u64,
}

impl Peer {
    /// Upgrades on `/` with nothing but the required headers.
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, "/", "")
    }

    /// Upgrades on a path, with further header lines (each ending in CRLF).
    ///
    /// # Panics
    /// When the server does not answer with a correct 101.
    pub fn connect_with(address: SocketAddr, path: &str, further_headers: &str) -> Self {
        let mut peer = Self::half_open(address);
        peer.send_raw(Self::upgrade_request(path, further_headers));
        peer.finish_upgrade();
        peer
    }

    /// A TCP connection on which nothing was said yet.
    pub fn half_open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts connections");
        stream.set_nodelay(true).expect("TCP_NODELAY");
        Self {
            stream,
            unread: Vec::new(),
            set_aside: VecDeque::new(),
            upgrade_head: String::new(),
            requests: 0,
        }
    }

    /// The bytes of an upgrade.
    pub fn upgrade_request(path: &str, further_headers: &str) -> String {
        format!(
            "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{further_headers}\r\n"
        )
    }

    /// Reads the answer to the upgrade.
    ///
    /// # Panics
    /// When it is not a correct 101.
    pub fn finish_upgrade(&mut self) {
        let deadline = Instant::now() + ANSWER_WITHIN;
        let end = loop {
            if let Some(at) = self
                .unread
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                break at + 4;
            }
            assert!(
                matches!(self.fill(deadline), Ok(1..)),
                "no answer to the upgrade"
            );
        };
        self.upgrade_head =
            String::from_utf8(self.unread.drain(..end).collect()).expect("an ASCII head");
        assert!(
            self.upgrade_head.starts_with("HTTP/1.1 101 "),
            "{}",
            self.upgrade_head
        );
        assert_eq!(
            self.upgrade_header("sec-websocket-accept").as_deref(),
            Some(ACCEPT)
        );
    }

    /// A header of the 101, by its lower-case name.
    pub fn upgrade_header(&self, name: &str) -> Option<String> {
        let lines = self
            .upgrade_head
            .split("\r\n")
            .filter_map(|line| line.split_once(':'));
        lines
            .filter(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().to_owned())
            .next()
    }

    // What it says.

    /// One masked text frame.
    pub fn send(&mut self, text: &str) {
        self.send_raw(frame_bytes(
            true,
            Opcode::Text as u8,
            Some(MASK),
            text.as_bytes(),
        ));
    }

    /// One masked frame of any kind.
    pub fn send_frame(&mut self, fin: bool, opcode: Opcode, payload: &[u8]) {
        self.send_raw(frame_bytes(fin, opcode as u8, Some(MASK), payload));
    }

    /// Any bytes. A peer that closed meanwhile is no failure here: what is seen next tells.
    pub fn send_raw(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_send_raw(bytes);
    }

    /// Any bytes, or the news that the other side no longer takes them.
    ///
    /// # Errors
    /// What the socket said.
    pub fn try_send_raw(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// The socket, for options and resets.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    // What it sees.

    /// The next frame of any kind.
    pub fn see(&mut self) -> Seen {
        self.see_within(ANSWER_WITHIN)
    }

    /// The next frame of any kind, or `Nothing` after a time.
    pub fn see_within(&mut self, within: Duration) -> Seen {
        if let Some(text) = self.set_aside.pop_front() {
            return Seen::Text(text);
        }
        self.read_frame(Instant::now() + within)
    }

    /// The next text frame that is not a server ping; the wire order of all others is kept.
    ///
    /// # Panics
    /// When something else comes, or nothing.
    pub fn text(&mut self) -> String {
        loop {
            match self.see() {
                Seen::Text(text) if is_server_ping(&text) => {}
                Seen::Text(text) => return text,
                other => panic!("expected a text frame, saw {other:?}"),
            }
        }
    }

    /// Asserts that nothing but server pings comes for a while.
    pub fn expect_silence(&mut self, during: Duration) {
        let deadline = Instant::now() + during;
        loop {
            match self.see_within(deadline.saturating_duration_since(Instant::now())) {
                Seen::Nothing => return,
                Seen::Text(text) if is_server_ping(&text) => {}
                other => panic!("expected silence, saw {other:?}"),
            }
        }
    }

    /// Asserts that the server closes with this code, and then ends the connection. Text before it is passed over.
    pub fn expect_close(&mut self, code: u16) -> String {
        self.expect_close_within(code, ANSWER_WITHIN)
    }

    /// The same, within a time.
    pub fn expect_close_within(&mut self, code: u16, within: Duration) -> String {
        let deadline = Instant::now() + within;
        loop {
            match self.see_within(deadline.saturating_duration_since(Instant::now())) {
                Seen::Text(_) => {}
                Seen::Close(seen, reason) => {
                    assert_eq!(seen, code, "close code (reason {reason:?})");
                    return reason;
                }
                other => panic!("expected close {code}, saw {other:?}"),
            }
        }
    }

    // What a well-behaved client does.

    /// Sends `event` with raw JSON `data` and a fresh uuid; returns the reply's `(error, body)`.
    pub fn request(&mut self, event: &str, data: &str) -> (i64, String) {
        self.requests += 1;
        let uuid = format!("\"e2e-{}\"", self.requests);
        self.send(&format!(
            r#"{{"event":"{event}","data":{data},"uuid":{uuid}}}"#
        ));
        self.reply_to(&uuid)
    }

    /// The reply to a uuid (raw JSON); other texts that come before it are kept for later, in order.
    ///
    /// # Panics
    /// When no such reply comes.
    pub fn reply_to(&mut self, uuid: &str) -> (i64, String) {
        let head = format!(r#"{{"type":"respon","event":{uuid},"#);
        let deadline = Instant::now() + ANSWER_WITHIN;
        let already = self
            .set_aside
            .iter()
            .position(|text| text.starts_with(&head));
        let text = match already {
            Some(at) => self.set_aside.remove(at).expect("just found"),
            None => loop {
                match self.read_frame(deadline) {
                    Seen::Text(text) if text.starts_with(&head) => break text,
                    Seen::Text(text) if is_server_ping(&text) => {}
                    Seen::Text(text) => self.set_aside.push_back(text),
                    other => panic!("expected the reply to {uuid}, saw {other:?}"),
                }
            },
        };
        let value: serde_json::Value = serde_json::from_str(&text).expect("a reply is JSON");
        let error = value["data"]["error"]
            .as_i64()
            .expect("data.error is a number");
        (
            error,
            value["data"]["body"]
                .as_str()
                .expect("data.body is a string")
                .to_owned(),
        )
    }

    /// Logs in with the right token.
    ///
    /// # Panics
    /// When refused.
    pub fn login(&mut self, user: &str) {
        let (error, body) = self.try_login(user, &format!("\"{}\"", token_for(user)));
        assert_eq!((error, body.as_str()), (0, "登录成功"), "login of {user}");
    }

    /// Logs in with any token, given as raw JSON.
    pub fn try_login(&mut self, user: &str, token: &str) -> (i64, String) {
        self.request("login", &format!(r#"{{"u":"{user}","token":{token}}}"#))
    }

    /// A classic client ping; true when the server says that this connection is logged in.
    pub fn ping(&mut self) -> bool {
        match self.request("ping", "{}") {
            (0, body) if body == "PING检查连接可用" => true,
            (1, body) if body == "PING检查连接不可用" => false,
            other => panic!("not an answer to a ping: {other:?}"),
        }
    }

    /// How long a ping takes.
    pub fn ping_time(&mut self) -> Duration {
        let start = Instant::now();
        assert!(self.ping(), "a logged-in device's ping");
        start.elapsed()
    }

    /// The `msg` of the next push.
    pub fn push_msg(&mut self) -> serde_json::Value {
        let text = self.text();
        let value: serde_json::Value = serde_json::from_str(&text).expect("a push is JSON");
        assert_eq!(value["type"], "app", "not a push: {text}");
        value["msg"].clone()
    }

    fn read_frame(&mut self, deadline: Instant) -> Seen {
        loop {
            if let Some((seen, used)) = parse_frame(&self.unread) {
                self.unread.drain(..used);
                return seen;
            }
            match self.fill(deadline) {
                Ok(0) => return Seen::End,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::TimedOut => return Seen::Nothing,
                Err(_) => return Seen::End,
            }
        }
    }

    fn fill(&mut self, deadline: Instant) -> io::Result<usize> {
        // At least a moment, so that what has already arrived is seen even at the deadline.
        let left = deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        self.stream.set_read_timeout(Some(left))?;
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                Ok(count)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::ErrorKind::TimedOut.into())
            }
            Err(error) => Err(error),
        }
    }
}

/// The bytes of one frame.
pub fn frame_bytes(fin: bool, opcode: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let first = u8::from(fin) << 7 | opcode;
    let mut bytes = frame_head(first, mask, payload.len() as u64);
    match mask {
        Some(mask) => bytes.extend(
            payload
                .iter()
                .zip(mask.iter().cycle())
                .map(|(byte, mask)| byte ^ mask),
        ),
        None => bytes.extend_from_slice(payload),
    }
    bytes
}

/// The head alone: first byte as given, a declared length that may be a lie.
pub fn frame_head(first_byte: u8, mask: Option<[u8; 4]>, declared_len: u64) -> Vec<u8> {
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first_byte];
    match declared_len {
        0..126 => bytes.push(mask_bit | declared_len as u8),
        126..65_536 => {
            bytes.push(mask_bit | 126);
            bytes.extend_from_slice(&(declared_len as u16).to_be_bytes());
        }
        _ => {
            bytes.push(mask_bit | 127);
            bytes.extend_from_slice(&declared_len.to_be_bytes());
        }
    }
    bytes.extend(mask.into_iter().flatten());
    bytes
}

/// Reads one server frame; servers never mask and, here, never fragment.
fn parse_frame(bytes: &[u8]) -> Option<(Seen, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!(second & 0x80, 0, "a server must not mask");
    assert_eq!(first & 0x70, 0, "no extension was agreed on");
    let (head, len) = match second {
        126 => (
            4,
            u16::from_be_bytes(bytes.get(2..4)?.try_into().expect("two bytes")) as usize,
        ),
        127 => (
            10,
            u64::from_be_bytes(bytes.get(2..10)?.try_into().expect("eight bytes")) as usize,
        ),
        short => (2, short as usize),
    };
    let payload = bytes.get(head..head + len)?.to_vec();
    assert_eq!(first & 0x80, 0x80, "a server's frame is whole");
    let seen = match first & 0x0f {
        1 => Seen::Text(String::from_utf8(payload).expect("text frames are UTF-8")),
        2 => Seen::Binary(payload),
        8 if payload.len() < 2 => Seen::Close(1005, String::new()),
        8 => Seen::Close(
            u16::from_be_bytes([payload[0], payload[1]]),
            String::from_utf8(payload[2..].to_vec()).expect("close reasons are UTF-8"),
        ),
        9 => Seen::Ping(payload),
        10 => Seen::Pong(payload),
        other => panic!("opcode {other} from a server"),
    };
    Some((seen, head + len))
}

fn is_server_ping(text: &str) -> bool {
    text.starts_with(r#"{"type":"ping","#)
}
