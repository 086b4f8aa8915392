//! Where to connect, and how: TCP, TLS when the address says `wss`, the WebSocket handshake.
//! The time limit is the core's.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::http::{Response, Uri};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use crate::BuildError;
use crate::connect::connect;

/// Read and write buffers of an idle socket, in bytes: small, because there may be many clients.
const SOCKET_BUFFER_BYTES: usize = 2 * 1024;

/// What may wait to be written, in bytes: one message at its largest, and pongs. Where a server pings and reads nothing, only the
/// latest of its pings is answered then, and a message that finds no room ends the line.
const WRITE_BUFFER_BYTES: usize = crate::socket::QUEUE_BYTES + 64 * 1024;

/// An open socket.
pub(crate) enum Socket {
    Plain(Box<WebSocketStream<TcpStream>>),
    Tls(Box<WebSocketStream<TlsStream<TcpStream>>>),
}

/// Why a dial failed.
pub(crate) struct DialError {
    pub(crate) reason: String,
    /// The `Retry-After` of an HTTP refusal.
    pub(crate) retry_after_ms: Option<u32>,
}

/// An address that was understood.
pub(crate) struct Endpoint {
    uri: Uri,
    host: String,
    port: u16,
    tls: Option<(ServerName<'static>, Arc<ClientConfig>)>,
    max_message_bytes: usize,
}

/// An address for an error's text: what stands before an `@` or behind a `?` may be a password or a
/// token.
fn without_secrets(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        _ => url.to_owned(),
    }
}

impl Endpoint {
    pub(crate) fn new(
        url: &str,
        tls: impl FnOnce() -> Result<Arc<ClientConfig>, BuildError>,
        max_message_bytes: usize,
    ) -> Result<Self, BuildError> {
        let bad = |why: &'static str| BuildError::Url {
            url: without_secrets(url),
            why,
        };
        if url.trim().is_empty() {
            return Err(bad(
                "it is empty: name the server, such as wss://example.com",
            ));
        }
        let uri: Uri = url.parse().map_err(|_| bad("it is not a URL"))?;
        let secure = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            Some("http") => return Err(bad("it must begin with ws:// instead of http://")),
            Some("https") => return Err(bad("it must begin with wss:// instead of https://")),
            _ => return Err(bad("it must begin with ws:// or wss://")),
        };
        if uri
            .authority()
            .is_some_and(|authority| authority.as_str().contains('@'))
        {
            return Err(bad("it has a user name, which a WebSocket cannot send"));
        }
        let host = uri
            .host()
            .filter(|host| !host.is_empty())
            .ok_or_else(|| bad("it has no host"))?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let tls = if secure {
            let name =
                ServerName::try_from(host.clone()).map_err(|_| bad("its host has no name"))?;
            Some((name, tls()?))
        } else {
            None
        };
        Ok(Self {
            uri,
            host,
            port,
            tls,
            max_message_bytes,
        })
    }

    pub(crate) async fn dial(&self) -> Result<Socket, DialError> {
        let tcp = connect(&self.host, self.port).await.map_err(failed)?;
        let config = WebSocketConfig::default()
            .read_buffer_size(SOCKET_BUFFER_BYTES)
            .write_buffer_size(SOCKET_BUFFER_BYTES)
            .max_write_buffer_size(WRITE_BUFFER_BYTES)
            .max_message_size(Some(self.max_message_bytes))
            .max_frame_size(Some(self.max_message_bytes));
        let Some((name, tls)) = &self.tls else {
            let (socket, _) = client_async_with_config(&self.uri, tcp, Some(config))
                .await
                .map_err(refused)?;
            return Ok(Socket::Plain(Box::new(socket)));
        };
        let connector = TlsConnector::from(Arc::clone(tls));
        let stream = connector.connect(name.clone(), tcp).await.map_err(failed)?;
        let (socket, _) = client_async_with_config(&self.uri, stream, Some(config))
            .await
            .map_err(refused)?;
        Ok(Socket::Tls(Box::new(socket)))
    }
}

/// TLS as shipped: ring, and Mozilla's roots, which need nothing on the machine. Shared by all
/// clients.
pub(crate) fn default_tls() -> Arc<ClientConfig> {
    static SHARED: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    Arc::clone(SHARED.get_or_init(|| {
        // No certificate of ours is involved, and ring has the default versions: this cannot fail.
        Arc::new(config_with(mozilla_roots()).expect("ring offers the default versions"))
    }))
}

/// TLS with more roots than Mozilla's.
pub(crate) fn tls_with_roots(
    extra: &[CertificateDer<'static>],
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = mozilla_roots();
    for certificate in extra {
        roots.add(certificate.clone())?;
    }
    Ok(Arc::new(config_with(roots)?))
}

fn config_with(roots: RootCertStore) -> Result<ClientConfig, rustls::Error> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

fn mozilla_roots() -> RootCertStore {
    RootCertStore {
        roots: webpki_roots::TLS_SERVER_ROOTS.to_vec(),
    }
}

fn failed(error: impl fmt::Display) -> DialError {
    DialError {
        reason: error.to_string(),
        retry_after_ms: None,
    }
}

fn refused(error: Error) -> DialError {
    let retry_after_ms = match &error {
        Error::Http(response) => retry_after(response),
        _ => None,
    };
    DialError {
        reason: error.to_string(),
        retry_after_ms,
    }
}

/// `Retry-After` in seconds; a date is not understood, and then the client's own backoff applies.
fn retry_after<B>(response: &Response<B>) -> Option<u32> {
    let seconds: u32 = response
        .headers()
        .get("retry-after")?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()?;
    Some(seconds.saturating_mul(1000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_dialled_is_named_without_its_secrets() {
        for (url, shown) in [
            (
                "http://me:SECRET@line.example/a?token=SECRET#SECRET",
                "http://line.example/a",
            ),
            ("ftp://SECRET@line.example:21", "ftp://line.example:21"),
            ("me:SECRET@line.example", "line.example"),
            ("line.example?token=SECRET", "line.example"),
            ("ws://me:SE@CRET@/", "ws:///"),
        ] {
            let Err(error) = Endpoint::new(url, || Ok(default_tls()), 1_024) else {
                panic!("it was understood: {url}");
            };
            let text = error.to_string();
            assert!(
                text.starts_with(&format!("`{shown}` cannot be dialled: ")),
                "{text}"
            );
            assert!(!text.contains("SE"), "{text}");
        }
    }
}
