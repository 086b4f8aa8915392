//! Which request is what: a handshake, a question about health, a push, or none of these.

use super::answer::{Answer, answer, refusal};
use super::body::BodyRoom;
use super::{api, handshake, path, push};
use crate::auth::{Caller, Port, PushAccess};
use crate::config::Config;
use crate::hub::Door;
use crate::net::World;
use crate::tls::Tls;
use heartline_protocol::{EventPatterns, Limits};
use hyper::body::{Body, Incoming};
use hyper::header::{ALLOW, HeaderValue};
use hyper::{Method, Request, StatusCode};
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio_util::task::TaskTracker;

/// What every request of a server shares.
#[derive(Debug)]
pub struct Site {
    /// The rest of the server.
    pub world: Arc<World>,
    /// WebSockets that may be open.
    pub door: Arc<Door>,
    /// HTTP connections that may be open.
    pub lobby: Arc<Door>,
    /// The certificate, where the port speaks TLS.
    pub tls: Option<Tls>,
    /// Counts every task of the HTTP side.
    pub tasks: TaskTracker,
    /// Who may push, and ask about pushes.
    pub push_access: PushAccess,
    pub(super) push_events: EventPatterns,
    pub(super) durable_events: EventPatterns,
    pub(super) push_limits: Limits,
    pub(super) body_room: BodyRoom,
    next_shard: AtomicUsize,
}

/// Bytes of request bodies in memory, all connections together: 64 of the largest, or 100,000 ordinary ones.
const BODY_ROOM_BYTES: usize = 128 * 1024 * 1024;

/// HTTP connections beyond those that may become WebSockets.
const LOBBY_EXTRA: usize = 1_024;
/// The same for one address, where there is a bound: a backend pushes from where devices also come.
const LOBBY_EXTRA_PER_ADDRESS: usize = 64;

impl Site {
    /// The site of a server.
    pub fn new(world: Arc<World>, tls: Option<Tls>) -> Self {
        let Config { limits, push, .. } = &world.config;
        Self {
            door: Door::new(limits.max_connections, limits.max_connections_per_address),
            lobby: Door::new(
                limits.max_connections.saturating_add(LOBBY_EXTRA),
                match limits.max_connections_per_address {
                    0 => 0,
                    bound => bound.saturating_add(LOBBY_EXTRA_PER_ADDRESS),
                },
            ),
            tls,
            tasks: TaskTracker::new(),
            push_access: PushAccess::new(&world.config),
            push_events: EventPatterns::new(push.events.iter().cloned()),
            durable_events: EventPatterns::new(push.durable_events.iter().cloned()),
            push_limits: Limits {
                http_body_bytes: push.max_body_bytes,
                push_recipients: limits.max_recipients,
                ..Limits::default()
            },
            body_room: BodyRoom::new(BODY_ROOM_BYTES.max(push.max_body_bytes)),
            next_shard: AtomicUsize::new(0),
            world,
        }
    }

    /// Shards in turn.
    pub(super) fn next_shard(&self) -> usize {
        self.next_shard.fetch_add(1, Relaxed)
    }
}

/// Answers one request.
pub(super) async fn route(site: &Arc<Site>, caller: Caller, request: Request<Incoming>) -> Answer {
    site.push_access.observe(caller, &request);
    if handshake::is_wanted(request.headers()) {
        return match caller.port {
            Port::Public => handshake::shake(site, caller.peer, request),
            Port::Push => refusal(
                StatusCode::FORBIDDEN,
                "this port takes pushes only: open WebSockets on the address of the setting `listen`",
            ),
        };
    }
    match path::is_api(request.uri().path()) {
        Ok(true) => return api::answer(site, caller, request).await,
        Ok(false) => {}
        Err(refusal) => {
            refusal.note(&site.world.metrics, caller.peer);
            return refusal.into_problem();
        }
    }
    let is_empty = request.body().is_end_stream();
    match *request.method() {
        Method::GET | Method::HEAD if request.uri().path() == "/healthz" => health(site),
        // Any method with a body is a push, as it was; a question without one is not.
        Method::GET if !is_empty => push::push(site, caller, request).await,
        Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE | Method::CONNECT => {
            let mut response = refusal(
                StatusCode::METHOD_NOT_ALLOWED,
                "this is a Heartline server: open a WebSocket here, or POST a push (event, msg, to)",
            );
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("POST"));
            response
        }
        _ => push::push(site, caller, request).await,
    }
}

/// `{"status":"ok","connections":N,…}`: numbers only, nobody's name.
fn health(site: &Site) -> Answer {
    let metrics = &site.world.metrics;
    let (deliveries, bytes) = site.world.hub.backlog();
    let mut body = format!(
        r#"{{"status":"ok","connections":{},"users":{},"backlog":{{"deliveries":{deliveries},"bytes":{bytes}}},"totals":{{"#,
        metrics.connections(),
        site.world.hub.users(),
    );
    for (at, (name, total)) in metrics.totals().enumerate() {
        // Writing into a String cannot fail.
        let _ = write!(body, r#"{}"{name}":{total}"#, if at > 0 { "," } else { "" });
    }
    body.push_str("}}\n");
    answer(StatusCode::OK, "application/json", body)
}
