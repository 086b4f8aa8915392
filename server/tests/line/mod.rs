//! A server in this process, and devices that speak to it through an independent WebSocket implementation.

#![allow(dead_code, reason = "each test file uses a part of this")]

use futures::{SinkExt, StreamExt};
use heartline_protocol::{User, classic_token};
use heartline_server::Config;
use heartline_server::Server;
use heartline_server::config::Secret;
use heartline_server::delivery::{Hooks, NoHooks};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// No wait in a test is longer than this.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A running server.
pub struct Line {
    pub server: Server,
    pub address: SocketAddr,
}

/// One WebSocket to it.
pub struct Device {
    pub socket: WebSocketStream<TcpStream>,
}

impl Line {
    /// A server on a free port, whose settings `change` may change.
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(change, Arc::new(NoHooks)).await
    }

    /// The same with an application that is told of things.
    pub async fn start_with(change: impl FnOnce(&mut Config), hooks: Arc<dyn Hooks>) -> Self {
        let mut config = Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            shards: 2,
            ..Config::default()
        };
        config.roles = ["user", "xxx"]
            .map(|role| (role.to_owned(), Secret::new("K")))
            .into();
        config.push.allow_loopback = true;
        change(&mut config);
        let server = Server::start_with(config, hooks)
            .await
            .expect("the server starts");
        Self {
            address: server.local_addr(),
            server,
        }
    }

    /// A device that is connected and not logged in.
    pub async fn device(&self) -> Device {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let url = format!("ws://{}/any/path", self.address);
        let (socket, _) = tokio_tungstenite::client_async(url, stream)
            .await
            .expect("the handshake");
        Device { socket }
    }

    /// A device that is logged in.
    pub async fn logged_in(&self, user: &str) -> Device {
        let mut device = self.device().await;
        device.say(&login(user)).await;
        assert_eq!(
            device.hear().await,
            r#"{"type":"respon","event":1,"data":{"error":0,"body":"登录成功"}}"#
        );
        device
    }

    /// `POST /` with a urlencoded body: status and body of the answer.
    pub async fn push(&self, form: &str) -> (u16, String) {
        self.http(&format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{form}",
            form.len()
        ))
        .await
    }

    /// One request as it is on the wire: status and body of the answer.
    pub async fn http(&self, request: &str) -> (u16, String) {
        let answer = self.raw(request.as_bytes()).await;
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no answer: {answer:?}"));
        (head[9..12].parse().unwrap(), body.to_owned())
    }

    /// What the server says to these bytes until it closes.
    pub async fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // The server may answer and close before it has read everything.
        let _ = stream.write_all(bytes).await;
        let mut answer = Vec::new();
        tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .expect("an end")
            .unwrap();
        answer
    }
}

impl Device {
    /// Sends a text frame.
    pub async fn say(&mut self, text: &str) {
        self.socket
            .send(Message::text(text))
            .await
            .expect("a frame leaves");
    }

    /// The next text, server pings aside.
    pub async fn hear(&mut self) -> String {
        loop {
            match self.next().await {
                Message::Text(text) if text.starts_with(r#"{"type":"ping""#) => {}
                Message::Text(text) => return text.to_string(),
                other => panic!("not a text: {other:?}"),
            }
        }
    }

    /// The next message of any kind.
    pub async fn next(&mut self) -> Message {
        tokio::time::timeout(PATIENCE, self.socket.next())
            .await
            .expect("a message in time")
            .expect("the connection is open")
            .expect("the stream is well-formed")
    }

    /// Reads until the close frame: its code and reason.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            if let Message::Close(frame) = self.next().await {
                let frame = frame.expect("a close code");
                return (frame.code.into(), frame.reason.to_string());
            }
        }
    }

    /// Sends a ping and checks that its answer is the very next text: nothing else was on the way.
    pub async fn hears_nothing_else(&mut self) {
        self.say(r#"{"event":"ping","uuid":"marker"}"#).await;
        let next = self.hear().await;
        assert!(next.contains(r#""event":"marker""#), "{next}");
    }
}

/// The login frame of a user, with the uuid 1.
pub fn login(user: &str) -> String {
    let token = classic_token(User::parse(user).unwrap().id(), "K");
    format!(r#"{{"event":"login","data":{{"u":"{user}","token":"{token}"}},"uuid":1}}"#)
}

/// A handshake as it is on the wire, and what follows it.
pub fn handshake_and(frames: &[u8]) -> Vec<u8> {
    let mut bytes = b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        .to_vec();
    bytes.extend_from_slice(frames);
    bytes
}

/// What follows the head of the answer to a handshake.
pub fn after_handshake(answer: &[u8]) -> &[u8] {
    assert!(
        answer.starts_with(b"HTTP/1.1 101 "),
        "{:?}",
        String::from_utf8_lossy(answer)
    );
    let end = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    &answer[end + 4..]
}

impl Line {
    /// The head (and what came with it) of the answer to a request; the connection stays open in `kept`.
    pub async fn raw_head(&self, request: &[u8], kept: &mut Vec<TcpStream>) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
            let count = tokio::time::timeout(PATIENCE, stream.read_buf(&mut answer))
                .await
                .expect("in time")
                .unwrap();
            assert_ne!(
                count,
                0,
                "closed after {:?}",
                String::from_utf8_lossy(&answer)
            );
        }
        kept.push(stream);
        String::from_utf8_lossy(&answer).into_owned()
    }
}
