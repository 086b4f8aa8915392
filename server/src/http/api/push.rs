//! `POST /api/v1/push`: read, allowed, stored, sent, answered; in this order.

use super::super::answer::{Answer, answer};
use super::super::body;
use super::super::push::{BODY_DEADLINE, body_refusal};
use super::super::route::Site;
use super::draft::{self, Asked};
use super::problem::Problem;
use super::receipts;
use crate::auth::Caller;
use crate::delivery::Draft;
use crate::metrics::Happening;
use crate::net::frame;
use crate::store::Push;
use hyper::body::Incoming;
use hyper::{Request, StatusCode};
use std::time::Duration;

/// Carries out one push.
pub(super) async fn push(
    site: &Site,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    attempt(site, caller, request).await.inspect_err(|problem| {
        site.world
            .metrics
            .note(Happening::PushRefused, problem.status())
    })
}

async fn attempt(
    site: &Site,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Answer, Problem> {
    let world = &site.world;
    let config = &world.config.push;
    site.push_access.authorise(caller, &request)?;
    let (head, incoming) = request.into_parts();
    let body = body::read(
        &head.headers,
        incoming,
        config.max_body_bytes,
        &site.body_room,
        BODY_DEADLINE,
    )
    .await
    .map_err(|reason| {
        let (status, _) = body_refusal(site, reason);
        Problem::new(status, reason)
    })?;
    let key = head.headers.get("idempotency-key");
    let key = key
        .map(hyper::header::HeaderValue::to_str)
        .transpose()
        .map_err(|_| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "the header Idempotency-Key is not ASCII",
            )
        })?;
    let asked = draft::read(&body.bytes, key, &site.push_limits)?;
    if !site.push_events.allows(&asked.event) {
        let detail = format!(
            "the event {:?} may not be pushed: see push.events",
            asked.event
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, detail));
    }
    let kept_ms = world.config.store.max_age_ms;
    if asked
        .undelivered_ms
        .is_some_and(|after_ms| after_ms > kept_ms)
    {
        let detail = format!(
            "field `undelivered` must be at most {} seconds, for as long a push is kept (store.max_age_ms)",
            kept_ms / 1_000
        );
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    if asked.transient {
        return transient(site, &asked);
    }
    let (id, draft, wait_ms) = stored(site, asked)?;
    let streams: Vec<_> = draft.recipients.clone();
    let pushed = world.delivery.push(draft).await.inspect_err(|reason| {
        world.metrics.note(Happening::StoreFailed, reason);
    })?;
    if !pushed.repeated {
        world.metrics.count(Happening::Stored);
        world.metrics.count(Happening::Push);
    }
    if let Some(ms) = wait_ms {
        // As far as they come in time; the answer tells which did.
        if let Some(awaited) = &pushed.awaited {
            let _ = tokio::time::timeout(Duration::from_millis(ms), awaited.all()).await;
        }
        // What a device has said is written a moment later.
        world.delivery.write_acks().await;
    }
    let places: Vec<_> = streams.into_iter().zip(pushed.places).collect();
    receipts::tell(site, &id, pushed.repeated, &places).await
}

/// To those who are there.
fn transient(site: &Site, asked: &Asked) -> Result<Answer, Problem> {
    let world = &site.world;
    let frame = frame::text(&asked.text);
    let deflated = world.compression.text(&asked.text);
    let sent = world
        .hub
        .publish(&asked.recipients, &frame, deflated.as_ref());
    let connections = sent.map_err(|reason| {
        world.metrics.note(Happening::Overloaded, reason);
        Problem::later(StatusCode::SERVICE_UNAVAILABLE, reason, 1)
    })?;
    world.metrics.count(Happening::Push);
    let body = format!("{{\"stored\":false,\"connections\":{connections}}}\n");
    Ok(answer(StatusCode::OK, "application/json", body))
}

/// What is to be stored, its id, and how long to wait for acknowledgements.
fn stored(site: &Site, asked: Asked) -> Result<(String, Draft, Option<u64>), Problem> {
    let id = match asked.id {
        Some(id) => id,
        None => new_id().map_err(|error| {
            Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                format_args!("no randomness for an id: {error}"),
            )
        })?,
    };
    let streams = asked
        .recipients
        .iter()
        .map(|user| user.as_str().into())
        .collect();
    let push = Push {
        fingerprint: fingerprint(&asked.text, &asked.recipients),
        id: id.as_str().into(),
        streams,
        body: asked.text.clone(),
        ttl_ms: asked.ttl_ms,
        collapse_key: asked.collapse_key.map(Into::into),
        undelivered_ms: asked.undelivered_ms,
    };
    let draft = Draft {
        push,
        recipients: asked.recipients,
        frame: frame::text(&asked.text),
        deflated: site.world.compression.text(&asked.text),
        wait_acked: asked.wait_acked_ms.is_some(),
    };
    Ok((id, draft, asked.wait_acked_ms))
}

/// An id that is nobody else's: 96 random bits in hexadecimal digits.
pub(in crate::http) fn new_id() -> std::io::Result<String> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Tells one push from another under the same id: the first eight bytes of a SHA-1 of what it says and to whom.
pub(in crate::http) fn fingerprint(text: &[u8], recipients: &[heartline_protocol::User]) -> u64 {
    use sha1::{Digest, Sha1};
    let mut digest = Sha1::new().chain_update(text);
    for user in recipients {
        digest = digest.chain_update([0]).chain_update(user.as_str());
    }
    let digest = digest.finalize();
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}
