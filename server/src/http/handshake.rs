//! The opening handshake of RFC 6455 §4.2, on any path, with no subprotocol; of extensions, see `extension.rs`. After the `101` the socket
//! leaves tokio, with what the peer has already sent, and goes to a shard.

use super::answer::{Answer, answer, refusal, retry_later};
use super::extension;
use super::guard::Guard;
use super::patience;
use super::route::Site;
use crate::hub::Refusal;
use crate::metrics::Happening;
use crate::net::{Command, Newcomer};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, HOST, HeaderMap, HeaderValue, ORIGIN, UPGRADE};
use hyper::{Method, Request, StatusCode, Version};
use hyper_util::rt::TokioIo;
use sha1::{Digest, Sha1};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Whether a request wants a WebSocket.
pub(super) fn is_wanted(headers: &HeaderMap) -> bool {
    has_token(headers, UPGRADE.as_str(), "websocket")
}

/// Answers the handshake, and sees the socket on its way.
pub(super) fn shake(site: &Arc<Site>, peer: IpAddr, mut request: Request<Incoming>) -> Answer {
    let accept = match check(&request, &site.world.config.allowed_origins) {
        Ok(accept) => accept,
        Err((status, reason)) => {
            let mut response = refusal(status, reason);
            if status == StatusCode::UPGRADE_REQUIRED {
                response
                    .headers_mut()
                    .insert("sec-websocket-version", HeaderValue::from_static("13"));
            }
            return response;
        }
    };
    let extension = (site.world.compression.is_offered())
        .then(|| extension::answer_to(request.headers()))
        .flatten();
    let deflates = extension.is_some();
    let permit = match site.door.enter(peer) {
        Ok(permit) => permit,
        Err(reason) => {
            site.world
                .metrics
                .note(Happening::TooManyConnections, reason);
            let status = match reason {
                Refusal::Server => StatusCode::SERVICE_UNAVAILABLE,
                Refusal::Address => StatusCode::TOO_MANY_REQUESTS,
            };
            return retry_later(status, reason, RETRY_AFTER_S);
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let shard = site.next_shard();
    let site_of_task = site.clone();
    site.tasks.spawn(async move {
        let Ok(Ok(upgraded)) = patience::within(UPGRADE_PATIENCE, upgrade).await else {
            return;
        };
        let Ok(parts) = upgraded.downcast::<TokioIo<Guard>>() else {
            // Every connection of ours is one: see `connection.rs`.
            tracing::error!("an upgraded connection is not a TCP stream of ours");
            return;
        };
        match parts.io.into_inner().into_inner().into_parts() {
            Ok((socket, tls)) => {
                let newcomer = Newcomer {
                    socket,
                    tls,
                    first_bytes: parts.read_buf.to_vec(),
                    deflates,
                    permit,
                };
                site_of_task
                    .world
                    .hub
                    .shard(shard)
                    .post(Command::Adopt(Box::new(newcomer)));
            }
            Err(error) => log_lost(&error),
        }
    });
    let mut response = answer(StatusCode::SWITCHING_PROTOCOLS, "", "");
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert("sec-websocket-accept", accept);
    if let Some(extension) = extension {
        headers.insert(extension::EXTENSIONS, extension);
    }
    response
}

/// Advice to who found no place.
const RETRY_AFTER_S: u32 = 5;
/// What a peer may take to let its `101` through.
const UPGRADE_PATIENCE: Duration = Duration::from_secs(10);

fn log_lost(error: &io::Error) {
    tracing::warn!(%error, "an upgraded socket could not leave the runtime");
}

/// The `Sec-WebSocket-Accept` of a good handshake.
fn check<B>(
    request: &Request<B>,
    allowed_origins: &[String],
) -> Result<HeaderValue, (StatusCode, &'static str)> {
    let bad = |reason| Err((StatusCode::BAD_REQUEST, reason));
    let headers = request.headers();
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return bad("a WebSocket handshake is GET with HTTP/1.1");
    }
    if !has_token(headers, CONNECTION.as_str(), "upgrade") {
        return bad("the header `Connection: Upgrade` is missing");
    }
    if !headers.contains_key(HOST) {
        return bad("the header `Host` is missing");
    }
    if headers
        .get("sec-websocket-version")
        .is_none_or(|version| version != "13")
    {
        return Err((
            StatusCode::UPGRADE_REQUIRED,
            "only `Sec-WebSocket-Version: 13` is spoken here",
        ));
    }
    let Some(key) = headers
        .get("sec-websocket-key")
        // What it decodes to proves nothing, so nothing hangs on it.
        .filter(|key| !key.is_empty())
    else {
        return bad("the header `Sec-WebSocket-Key` is missing");
    };
    if let Some(origin) = headers.get(ORIGIN).filter(|_| !allowed_origins.is_empty())
        && !allowed_origins
            .iter()
            .any(|allowed| allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes()))
    {
        return Err((StatusCode::FORBIDDEN, "this origin is not allowed"));
    }
    // Base64 is visible ASCII.
    HeaderValue::from_str(&accept_of(key.as_bytes()))
        .or(bad("the header `Sec-WebSocket-Key` is unusable"))
}

/// Whether a header, possibly a list and possibly repeated, has this token.
fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    let values = headers
        .get_all(name)
        .into_iter()
        .filter_map(|value| value.to_str().ok());
    values
        .flat_map(|value| value.split(','))
        .any(|item| item.trim().eq_ignore_ascii_case(token))
}

/// RFC 6455 §4.2.2, 5.4.
fn accept_of(key: &[u8]) -> String {
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    let mut text = String::with_capacity(28);
    for group in digest.chunks(3) {
        let bits = group
            .iter()
            .fold(0u32, |bits, byte| bits << 8 | u32::from(*byte))
            << (8 * (3 - group.len()));
        for digit in 0..4 {
            text.push(match digit <= group.len() {
                true => BASE64[(bits >> (18 - 6 * digit)) as usize & 63] as char,
                false => '=',
            });
        }
    }
    text
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    fn handshake(changes: &[(&'static str, Option<&'static str>)]) -> Request<()> {
        let mut request = Request::new(());
        let headers = request.headers_mut();
        for (name, value) in [
            ("host", "x"),
            ("upgrade", "WebSocket"),
            ("connection", "keep-alive, Upgrade"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        for (name, value) in changes {
            headers.remove(*name);
            if let Some(value) = value {
                headers.insert(*name, HeaderValue::from_static(value));
            }
        }
        request
    }

    fn status(changes: &[(&'static str, Option<&'static str>)], origins: &[&str]) -> u16 {
        let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        check(&handshake(changes), &origins).map_or_else(|(status, _)| status.as_u16(), |_| 101)
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(
            check(&handshake(&[]), &[]).unwrap(),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert!(is_wanted(handshake(&[]).headers()));
        assert!(!is_wanted(handshake(&[("upgrade", Some("h2c"))]).headers()));
    }

    #[test]
    fn a_handshake_that_is_none_is_told_why() {
        assert_eq!(status(&[("connection", Some("close"))], &[]), 400);
        assert_eq!(status(&[("sec-websocket-key", None)], &[]), 400);
        assert_eq!(status(&[("sec-websocket-key", Some(""))], &[]), 400);
        assert_eq!(status(&[("sec-websocket-version", Some("8"))], &[]), 426);
        assert_eq!(status(&[("sec-websocket-version", None)], &[]), 426);
    }

    #[test]
    fn origins_are_any_by_default_and_a_list_is_a_list() {
        let evil = ("origin", Some("https://evil.example"));
        let good = ("origin", Some("https://app.example"));
        assert_eq!(status(&[evil], &[]), 101);
        assert_eq!(status(&[evil], &["https://app.example"]), 403);
        assert_eq!(status(&[good], &["https://APP.example"]), 101);
        assert_eq!(
            status(&[], &["https://app.example"]),
            101,
            "a native client sends none"
        );
    }
}
