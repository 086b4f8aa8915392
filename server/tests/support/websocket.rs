//! Just enough of a WebSocket client to log in: text frames under 64 KiB, blocking.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use heartline_protocol::classic_token;

/// An open WebSocket.
pub struct WebSocket(TcpStream);

impl WebSocket {
    pub fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).expect("the server accepts");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .expect("written");
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream
                .read_exact(&mut byte)
                .expect("an answer to the upgrade");
            head.push(byte[0]);
        }
        assert!(
            head.starts_with(b"HTTP/1.1 101"),
            "{}",
            String::from_utf8_lossy(&head)
        );
        Self(stream)
    }

    /// Logs in with the right token, and waits for the answer.
    pub fn login(&mut self, user: &str, key: &str) {
        let (_, id) = user.split_once(':').expect("ROLE:ID");
        let token = classic_token(id, key);
        self.send(&format!(
            r#"{{"event":"login","data":{{"u":"{user}","token":"{token}"}},"uuid":"L"}}"#
        ));
        self.expect("登录成功");
    }

    /// A client ping, and its answer.
    pub fn ping(&mut self) {
        self.send(r#"{"event":"ping","uuid":"P"}"#);
        self.expect("PING检查连接可用");
    }

    pub fn send(&mut self, text: &str) {
        let payload = text.as_bytes();
        let mut frame = vec![0x81];
        match u16::try_from(payload.len()).expect("under 64 KiB") {
            short @ 0..126 => frame.push(0x80 | u8::try_from(short).expect("under 126")),
            long => {
                frame.push(0x80 | 126);
                frame.extend(long.to_be_bytes());
            }
        }
        frame.extend([0; 4]); // a mask of zeros leaves the payload as it is
        frame.extend(payload);
        self.0.write_all(&frame).expect("written");
    }

    /// Reads frames until one holds `part`.
    pub fn expect(&mut self, part: &str) {
        loop {
            let mut head = [0; 2];
            self.0
                .read_exact(&mut head)
                .unwrap_or_else(|error| panic!("waiting for {part}: {error}"));
            let length = match head[1] {
                126 => {
                    let mut long = [0; 2];
                    self.0.read_exact(&mut long).expect("a length");
                    usize::from(u16::from_be_bytes(long))
                }
                127 => panic!("a frame over 64 KiB"),
                short => usize::from(short),
            };
            let mut payload = vec![0; length];
            self.0.read_exact(&mut payload).expect("a payload");
            assert_ne!(head[0] & 0x0f, 8, "closed while waiting for {part}");
            if String::from_utf8_lossy(&payload).contains(part) {
                return;
            }
        }
    }
}
