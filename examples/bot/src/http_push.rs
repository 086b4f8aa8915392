//! The HTTP push, by hand: one form, one connection, one short answer. Enough for a bot beside its server; a real
//! backend uses its HTTP client.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use form_urlencoded::Serializer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::answer::Answer;

/// How long one push may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The server's answers are a few bytes; more than this is not read.
const ANSWER_BYTES: u64 = 16 * 1024;

/// Where answers are pushed to.
pub struct HttpPush {
    authority: String,
    address: String,
    key: Option<String>,
}

impl HttpPush {
    /// The push endpoint at `url`, which must begin with `http://`.
    ///
    /// # Errors
    /// When the address or the key cannot be used.
    pub fn new(url: &str, key: Option<String>) -> Result<Self> {
        let rest = url.strip_prefix("http://");
        let rest = rest.with_context(|| format!("{url}: give --push-url http://HOST:PORT/"))?;
        let authority = rest.split('/').next().unwrap_or(rest).to_owned();
        ensure!(!authority.is_empty(), "{url}: no host");
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let address = if has_port {
            authority.clone()
        } else {
            format!("{authority}:80")
        };
        let fits = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(
            fits(&authority) && key.as_deref().is_none_or(fits),
            "no spaces or control characters, please"
        );
        Ok(Self {
            authority,
            address,
            key,
        })
    }

    /// Pushes an answer.
    ///
    /// # Errors
    /// When the server cannot be reached or does not say `ok`.
    pub async fn send(&self, answer: &Answer) -> Result<()> {
        tokio::time::timeout(PATIENCE, self.post(answer))
            .await
            .context("no answer in time")?
    }

    async fn post(&self, answer: &Answer) -> Result<()> {
        let form = Serializer::new(String::new())
            .append_pair("event", &answer.event)
            .append_pair("type", "app")
            .append_pair("to", &answer.to)
            .append_pair("msg", &answer.msg)
            .finish();
        let authorization = match &self.key {
            Some(key) => format!("Authorization: Bearer {key}\r\n"),
            None => String::new(),
        };
        let request = format!(
            "POST / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{authorization}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            self.authority,
            form.len(),
        );
        let mut socket = TcpStream::connect(&self.address)
            .await
            .context("no connection")?;
        socket.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        socket.take(ANSWER_BYTES).read_to_end(&mut reply).await?;
        let reply = String::from_utf8_lossy(&reply);
        let (head, body) = reply.split_once("\r\n\r\n").context("no HTTP answer")?;
        let status = head.split(' ').nth(1).unwrap_or_default();
        match (status, body.trim()) {
            ("200", "ok") => Ok(()),
            ("200", "fail") => bail!("the event {} may not be pushed", answer.event),
            (status, body) => bail!("the server answered {status}: {body}"),
        }
    }
}
