//! `POST /api/v1/push`: read, allowed, stored, sent, answered; in this order.

use super::super::answer::{Answer, answer};
use super::super::body;
use super::super::push::{BODY_DEADLINE, unknown_roles};
use super::super::refusal::Refusal;
use super::super::route::Site;
use super::draft::{self, Asked};
use super::receipts;
use crate::auth::Caller;
use crate::delivery::Draft;
use crate::metrics::Happening;
use crate::net::frame;
use crate::store::Push;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode};
use std::time::Duration;

/// Carries out one push.
pub(super) async fn push(
    site: &Site,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    attempt(site, caller, request)
        .await
        .inspect_err(|refusal| refusal.note(&site.world.metrics, caller.peer))
}

async fn attempt(
    site: &Site,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
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
    .await?;
    let mut keys = head.headers.get_all("idempotency-key").iter();
    let key = keys.next().map(HeaderValue::to_str).transpose();
    let key = key.map_err(|_| Refusal::bad("the header Idempotency-Key is not ASCII"))?;
    if keys.next().is_some() {
        return Err(Refusal::bad(
            "several headers Idempotency-Key: send one of them",
        ));
    }
    let asked = draft::read(&body.bytes, key, &site.push_limits)?;
    if let (_, Some(user)) = unknown_roles(&world.config.roles, &asked.recipients) {
        let roles: Vec<_> = world.config.roles.keys().map(String::as_str).collect();
        return Err(Refusal::bad(format_args!(
            "field `to`: {:?} has a role that nobody can log in with; the roles are {}",
            user.as_str(),
            roles.join(", ")
        )));
    }
    if !site.push_events.allows(&asked.event) {
        let detail = format!(
            "the event {:?} may not be pushed: see push.events",
            asked.event
        );
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
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
        return Err(Refusal::bad(detail));
    }
    if asked.transient {
        return transient(site, &asked);
    }
    let (id, draft, wait_ms) = stored(site, asked)?;
    let streams: Vec<_> = draft.recipients.clone();
    let pushed = world.delivery.push(draft).await?;
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
fn transient(site: &Site, asked: &Asked) -> Result<Answer, Refusal> {
    let world = &site.world;
    let frame = frame::text(&asked.text);
    let deflated = world.compression.text(&asked.text);
    let sent = world
        .hub
        .publish(&asked.recipients, &frame, deflated.as_ref());
    let connections = sent.map_err(|reason| {
        Refusal::later(StatusCode::SERVICE_UNAVAILABLE, reason, 1).counted(Happening::Overloaded)
    })?;
    world.metrics.count(Happening::Push);
    let body = format!("{{\"stored\":false,\"connections\":{connections}}}\n");
    Ok(answer(StatusCode::OK, "application/json", body))
}

/// What is to be stored, its id, and how long to wait for acknowledgements.
fn stored(site: &Site, asked: Asked) -> Result<(String, Draft, Option<u64>), Refusal> {
    let fingerprint = fingerprint(&asked);
    let id = match asked.id {
        Some(id) => id,
        None => new_id()?,
    };
    let streams = asked
        .recipients
        .iter()
        .map(|user| user.as_str().into())
        .collect();
    let push = Push {
        fingerprint,
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
pub(in crate::http) fn new_id() -> Result<String, Refusal> {
    let mut bytes = [0; 12];
    getrandom::fill(&mut bytes).map_err(|error| {
        let reason = format_args!("no randomness for an id: {error}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, reason)
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Tells one push from another under the same id: the first eight bytes of a SHA-1 of all that was asked and is kept. The
/// order of the recipients is none of it: they are sorted when this is called.
fn fingerprint(asked: &Asked) -> u64 {
    use sha1::{Digest, Sha1};
    // Each part with its length before it, so that no two pushes run into the same bytes.
    let mut digest = Sha1::new();
    let mut part = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    part(&asked.text);
    for number in [asked.ttl_ms, asked.undelivered_ms] {
        // Both are positive where they are.
        part(&number.unwrap_or(0).to_be_bytes());
    }
    // An empty key is refused.
    part(asked.collapse_key.as_deref().unwrap_or_default().as_bytes());
    for user in &asked.recipients {
        part(user.as_str().as_bytes());
    }
    let digest = digest.finalize();
    u64::from_be_bytes(std::array::from_fn(|at| digest[at]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use heartline_protocol::Limits;

    #[test]
    fn all_that_is_asked_tells_one_push_from_another_but_not_the_order_of_recipients() {
        let of = |rest: &str| {
            let body = format!(r#"{{"event":"chat1","msg":1,{rest}}}"#);
            fingerprint(&draft::read(body.as_bytes(), None, &Limits::default()).unwrap())
        };
        let first = of(r#""to":["user:a","user:b"]"#);
        assert_eq!(of(r#""to":["user:b","user:a"]"#), first);
        assert_eq!(of(r#""to":"user:b, user:a,user:b""#), first);
        assert_eq!(
            of(r#""to":["user:a","user:b"],"wait":"acked","waitMs":5"#),
            first
        );
        let others = [
            of(r#""to":["user:a","user:bb"]"#),
            of(r#""to":"user:a""#),
            of(r#""to":["user:a","user:b"],"ttl":5"#),
            of(r#""to":["user:a","user:b"],"ttl":6"#),
            of(r#""to":["user:a","user:b"],"undelivered":5"#),
            of(r#""to":["user:a","user:b"],"collapseKey":"k""#),
            of(r#""to":["user:b"],"collapseKey":"user:a""#),
        ];
        let mut all: Vec<u64> = others.into_iter().chain([first]).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), others.len() + 1);
    }
}
