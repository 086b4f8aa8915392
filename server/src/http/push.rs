//! One push: may it, is it well formed, to whom; then it is in the hub's order, and answered. What devices do with
//! it has no part in the answer.

use super::answer::{Answer, answer, refusal, retry_later};
use super::api::new_id;
use super::body::{self, BodyRefusal};
use super::form;
use super::route::Site;
use crate::auth::{Caller, PushRefusal};
use crate::delivery::{Draft, PushError};
use crate::metrics::Happening;
use crate::net::frame::{self, Deflated};
use crate::store::{Push, StoreError, WriteError};
use bytes::Bytes;
use heartline_protocol::PushForm;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, StatusCode};
use std::time::Duration;

/// What a body may take to come.
pub(super) const BODY_DEADLINE: Duration = Duration::from_secs(15);

/// Carries out one push.
pub(super) async fn push(site: &Site, caller: Caller, request: Request<Incoming>) -> Answer {
    let response = attempt(site, caller, request)
        .await
        .unwrap_or_else(|refused| refused);
    if response.status() != StatusCode::OK {
        site.world
            .metrics
            .note(Happening::PushRefused, response.status());
    }
    response
}

async fn attempt(
    site: &Site,
    caller: Caller,
    request: Request<Incoming>,
) -> Result<Answer, Answer> {
    let world = &site.world;
    let config = &world.config.push;
    (site.push_access)
        .authorise(caller, &request)
        .map_err(not_allowed)?;

    let (head, incoming) = request.into_parts();
    let body = body::read(
        &head.headers,
        incoming,
        config.max_body_bytes,
        &site.body_room,
        BODY_DEADLINE,
    )
    .await
    .map_err(|reason| match body_refusal(site, reason) {
        (status, None) => refusal(status, reason),
        (status, Some(seconds)) => retry_later(status, reason, seconds),
    })?;
    let content_type = head
        .headers
        .get(CONTENT_TYPE)
        .map_or(Ok(""), HeaderValue::to_str);
    let content_type = content_type
        .map_err(|_| refusal(StatusCode::BAD_REQUEST, "the content type is not ASCII"))?;
    let form = form::read(content_type, body.bytes.clone(), &site.push_limits)
        .await
        .map_err(|error| {
            refusal(
                StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST),
                error,
            )
        })?;

    if !site.push_events.allows(form.event()) {
        return Ok(classic(&head.headers, "fail"));
    }
    let frame = frame::text(form.frame().as_bytes());
    let deflated = world.compression.text(form.frame().as_bytes());
    if site.durable_events.allows(form.event()) {
        store(site, form, frame, deflated).await?;
    } else {
        world
            .hub
            .publish(form.recipients(), &frame, deflated.as_ref())
            .map_err(|reason| {
                world.metrics.note(Happening::Overloaded, reason);
                retry_later(StatusCode::SERVICE_UNAVAILABLE, reason, 1)
            })?;
    }
    world.metrics.count(Happening::Push);
    Ok(classic(&head.headers, "ok"))
}

/// Stores a push, and sends it.
async fn store(
    site: &Site,
    form: PushForm,
    frame: Bytes,
    deflated: Option<Deflated>,
) -> Result<(), Answer> {
    let world = &site.world;
    let id = new_id().map_err(|error| refusal(StatusCode::INTERNAL_SERVER_ERROR, error))?;
    let recipients = form.recipients().to_vec();
    let push = Push {
        id: id.into(),
        fingerprint: 0,
        streams: recipients.iter().map(|user| user.as_str().into()).collect(),
        body: form.into_frame().into(),
        ttl_ms: None,
        collapse_key: None,
        undelivered_ms: None,
    };
    let draft = Draft {
        push,
        recipients,
        frame,
        deflated,
        wait_acked: false,
    };
    world.delivery.push(draft).await.map_err(|reason| {
        world.metrics.note(Happening::StoreFailed, &reason);
        let (status, seconds) = match &reason {
            PushError::Store(error) if matches!(**error, StoreError::Full) => {
                (StatusCode::INSUFFICIENT_STORAGE, 10)
            }
            PushError::Refused(WriteError::NoRoom) => (StatusCode::INSUFFICIENT_STORAGE, 10),
            _ => (StatusCode::SERVICE_UNAVAILABLE, 1),
        };
        retry_later(status, reason, seconds)
    })?;
    world.metrics.count(Happening::Stored);
    Ok(())
}

/// The status that says why a body was not taken, and after how many seconds another attempt is worth it.
pub(super) fn body_refusal(site: &Site, reason: BodyRefusal) -> (StatusCode, Option<u32>) {
    let (what, status, seconds) = match reason {
        BodyRefusal::TooBig(_) => (Happening::BodyTooBig, StatusCode::PAYLOAD_TOO_LARGE, None),
        BodyRefusal::TooSlow => (Happening::BodyTooSlow, StatusCode::REQUEST_TIMEOUT, None),
        BodyRefusal::NoRoom => (
            Happening::Overloaded,
            StatusCode::SERVICE_UNAVAILABLE,
            Some(1),
        ),
        BodyRefusal::Broken => return (StatusCode::BAD_REQUEST, None),
    };
    site.world.metrics.note(what, reason);
    (status, seconds)
}

/// The answer of the classic server: `text/html`, keep-alive unless the sender asked for less, no newline.
fn classic(headers: &hyper::HeaderMap, body: &'static str) -> Answer {
    let mut response = answer(StatusCode::OK, "text/html;charset=utf-8", body);
    if !headers.contains_key(CONNECTION) {
        response
            .headers_mut()
            .insert(CONNECTION, HeaderValue::from_static("keep-alive"));
    }
    response
}

fn not_allowed(reason: PushRefusal) -> Answer {
    let mut response = refusal(reason.status(), reason);
    if reason.status() == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
