//! The demo's backend: serves the built page, hands out tokens, and relays what the page says to the push
//! endpoint, as a Laravel application would. For the demo only: anyone may log in as anyone here.
//!
//! `GET /` leads on to `/?server=…`, so that the page knows where to connect · `GET /…` files · `GET /api/token?u=user:6` · `POST /api/push` the body goes on to the server as it is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

/// What the demo's backend needs to know.
#[derive(Clone)]
pub struct Relay {
    /// The folder of the built page.
    pub files: PathBuf,
    /// The Heartline server.
    pub server: SocketAddr,
    /// The key of the role `user`.
    pub user_key: String,
    /// The key that pushes carry.
    pub push_key: String,
}

impl Relay {
    /// Serves on `listener` until the process ends, one thread per connection.
    pub fn serve(self, listener: TcpListener) {
        for stream in listener.incoming().flatten() {
            let relay = self.clone();
            std::thread::spawn(move || {
                let _ = relay.answer(stream);
            });
        }
    }

    fn answer(&self, stream: TcpStream) -> Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let request = Request::read(&mut reader)?;
        let (path, query) = request
            .target
            .split_once('?')
            .unwrap_or((&request.target, ""));
        let (status, kind, body) = match (request.method.as_str(), path) {
            ("POST", "/api/push") => self.push(&request)?,
            ("GET", "/api/token") => self.token(query),
            ("GET" | "HEAD", "/") if query.is_empty() => {
                let to = format!("/?server=ws://{}", self.server);
                write!(
                    &stream,
                    "HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                )?;
                return Ok(());
            }
            ("GET" | "HEAD", _) => self.file(path),
            _ => (
                "405 Method Not Allowed",
                "text/plain",
                b"GET a page or POST /api/push".to_vec(),
            ),
        };
        let mut out = &stream;
        write!(
            out,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n",
            body.len()
        )?;
        if request.method != "HEAD" {
            out.write_all(&body)?;
        }
        Ok(())
    }

    fn token(&self, query: &str) -> Answer {
        let user = query
            .split('&')
            .find_map(|pair| pair.strip_prefix("u="))
            .unwrap_or("");
        let user = user.replace("%3A", ":").replace("%3a", ":");
        match user.strip_prefix("user:") {
            Some(id) if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                let token = heartline_protocol::classic_token(id, &self.user_key);
                let body = serde_json::json!({ "u": user, "token": token });
                ("200 OK", "application/json", body.to_string().into_bytes())
            }
            _ => (
                "400 Bad Request",
                "text/plain",
                b"u must be user:ID with a plain id".to_vec(),
            ),
        }
    }

    fn push(&self, request: &Request) -> Result<Answer> {
        let mut server = TcpStream::connect(self.server).context("the server is not there")?;
        write!(
            server,
            "POST / HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.server,
            self.push_key,
            request.content_type,
            request.body.len()
        )?;
        server.write_all(&request.body)?;
        let mut answer = Vec::new();
        server.take(64 * 1024).read_to_end(&mut answer)?;
        let split = answer
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .unwrap_or(0);
        let ok = answer.starts_with(b"HTTP/1.1 200");
        let body = answer.get(split + 4..).unwrap_or_default().to_vec();
        Ok((
            if ok { "200 OK" } else { "400 Bad Request" },
            "text/plain",
            body,
        ))
    }

    fn file(&self, path: &str) -> Answer {
        let wanted = Path::new(path.trim_start_matches('/'));
        let plain = wanted
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let mut at = self.files.join(wanted);
        if at.is_dir() {
            at.push("index.html");
        }
        match std::fs::read(&at) {
            Ok(bytes) if plain => ("200 OK", content_type(&at), bytes),
            _ => ("404 Not Found", "text/plain", b"no such file".to_vec()),
        }
    }
}

type Answer = (&'static str, &'static str, Vec<u8>);

struct Request {
    method: String,
    target: String,
    content_type: String,
    body: Vec<u8>,
}

impl Request {
    fn read(reader: &mut impl BufRead) -> Result<Self> {
        let mut head = reader.take(MAX_HEAD_BYTES);
        let mut line = String::new();
        head.read_line(&mut line)?;
        let mut words = line.split_whitespace().map(str::to_owned);
        let (method, target) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let (mut content_type, mut length) = (String::new(), 0u64);
        loop {
            line.clear();
            head.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(':') else {
                break;
            };
            match name.to_ascii_lowercase().as_str() {
                "content-type" => content_type = value.trim().to_owned(),
                "content-length" => {
                    length = value
                        .trim()
                        .parse()
                        .context("Content-Length is not a number")?
                }
                _ => {}
            }
        }
        let mut body = Vec::new();
        reader
            .take(length.min(MAX_BODY_BYTES))
            .read_to_end(&mut body)?;
        Ok(Self {
            method,
            target,
            content_type,
            body,
        })
    }
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript",
        Some("css") => "text/css",
        Some("wasm") => "application/wasm",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}

const MAX_HEAD_BYTES: u64 = 16 * 1024;
const MAX_BODY_BYTES: u64 = 64 * 1024;
