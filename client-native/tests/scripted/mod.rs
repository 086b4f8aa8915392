//! A server whose script is the test itself: accept a peer, expect a frame, answer it, cut the line.
//! Every wait has a limit, so that a story that hangs says where.

#![allow(dead_code, reason = "each story uses its own part")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use heartline_client_native::{Backoff, Builder, Client};
use heartline_protocol::{encode_respon, encode_respon_raw};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

/// Longer than anything here takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// Fails the test if `what` does not happen.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {LIMIT:?} in vain: {what}"),
    }
}

/// Is nothing heard from `future` for this long?
pub async fn quiet<T>(ms: u64, future: impl Future<Output = T>) -> bool {
    tokio::time::timeout(Duration::from_millis(ms), future)
        .await
        .is_err()
}

pub struct Server {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

impl Server {
    pub async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self {
            listener,
            tls: None,
        }
    }

    pub async fn bind_tls(config: rustls::ServerConfig) -> Self {
        Self {
            tls: Some(TlsAcceptor::from(Arc::new(config))),
            ..Self::bind().await
        }
    }

    pub fn addr(&self) -> SocketAddr {
        self.listener.local_addr().expect("bound")
    }

    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "wss" } else { "ws" };
        format!("{scheme}://localhost:{}/any/path?x=1", self.addr().port())
    }

    /// A client of this server that comes back quickly.
    pub fn builder(&self) -> Builder {
        Client::builder(&self.url())
            .credentials("user:6", "token")
            .backoff(Backoff::Fixed { delay_ms: 50 })
    }

    /// The next TCP connection, before any handshake.
    pub async fn accept_tcp(&self) -> TcpStream {
        soon("a connection", self.listener.accept())
            .await
            .expect("a connection")
            .0
    }

    /// Does nobody connect for this long?
    pub async fn stays_lonely(&self, ms: u64) -> bool {
        quiet(ms, self.listener.accept()).await
    }

    /// The next WebSocket.
    pub async fn accept(&self) -> Peer {
        self.greet(self.accept_tcp().await).await
    }

    /// The handshake with a connection that was accepted.
    pub async fn greet(&self, tcp: TcpStream) -> Peer {
        let stream: Box<dyn Stream> = match &self.tls {
            Some(tls) => Box::new(soon("TLS", tls.accept(tcp)).await.expect("TLS")),
            None => Box::new(tcp),
        };
        Peer {
            socket: soon("a handshake", accept_async(stream))
                .await
                .expect("a handshake"),
        }
    }

    /// The server's side of the next TLS handshake.
    pub async fn try_accept_tls(&self) -> std::io::Result<()> {
        let tcp = self.accept_tcp().await;
        let tls = self.tls.as_ref().expect("a server with TLS");
        tls.accept(tcp).await.map(drop)
    }

    /// The next WebSocket, after its login was accepted.
    pub async fn accept_login(&self) -> Peer {
        let mut peer = self.accept().await;
        let login = peer.expect("login").await;
        peer.grant(&login).await;
        peer
    }
}

pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// What a client sent.
#[derive(Debug)]
pub struct Asked {
    pub data: Value,
    pub uuid: Box<RawValue>,
}

/// The server's end of one socket.
pub struct Peer {
    socket: WebSocketStream<Box<dyn Stream>>,
}

impl Peer {
    /// The next frame, which must be this event.
    pub async fn expect(&mut self, event: &str) -> Asked {
        let text = self
            .text()
            .await
            .unwrap_or_else(|| panic!("closed, instead of {event}"));
        let frame = heartline_protocol::decode_client(text.as_bytes()).expect("a frame");
        assert_eq!(frame.event.as_deref(), Some(event), "{text}");
        let data = |raw: &RawValue| serde_json::from_str(raw.get()).expect("plain JSON");
        Asked {
            data: frame.data.map_or(Value::Null, data),
            uuid: frame.uuid.expect("a uuid").to_owned(),
        }
    }

    /// The next text; `None` when the client closed.
    pub async fn text(&mut self) -> Option<String> {
        loop {
            match soon("a frame", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return Some(text.as_str().to_owned()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Waits for the client's close frame and answers it; `None` when the socket just ends.
    pub async fn closing(&mut self) -> Option<u16> {
        let mut code = None;
        while let Some(Ok(message)) = soon("the close", self.socket.next()).await {
            if let Message::Close(frame) = message {
                code = frame.map(|frame| frame.code.into());
            }
        }
        code
    }

    pub async fn send(&mut self, text: impl Into<String>) {
        self.socket
            .send(Message::text(text.into()))
            .await
            .expect("the client reads");
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.expect("the client reads");
    }

    /// Bytes that stand for frames already.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.socket.get_mut().write_all(bytes).await
    }

    pub async fn push(&mut self, event: &str, msg: Value) {
        self.send(json!({"type": "app", "event": event, "msg": msg, "to": "user:6"}).to_string())
            .await;
    }

    /// `error: 0`.
    pub async fn grant(&mut self, asked: &Asked) {
        self.send(encode_respon(Some(&asked.uuid), 0, "登录成功"))
            .await;
    }

    pub async fn grant_with(&mut self, asked: &Asked, body: &str) {
        let body: &RawValue = serde_json::from_str(body).expect("JSON");
        self.send(encode_respon_raw(Some(&asked.uuid), 0, body))
            .await;
    }

    pub async fn refuse(&mut self, asked: &Asked, body: &str) {
        self.send(encode_respon(Some(&asked.uuid), 1, body)).await;
    }

    pub async fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.to_owned().into(),
        };
        self.socket
            .send(Message::Close(Some(frame)))
            .await
            .expect("the client reads");
    }
}
