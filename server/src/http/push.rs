//! One push: may it, is it well formed, to whom; then it is in the hub's order, and answered. What devices do with
//! it has no part in the answer.

use super::answer::{Answer, answer, refusal, retry_later};
use super::body::{self, BodyRefusal};
use super::form;
use super::route::Site;
use crate::auth::{PushRefusal, push_allowed};
use crate::metrics::Happening;
use crate::net::frame;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, StatusCode};
use std::net::IpAddr;
use std::time::Duration;

/// What a body may take to come.
const BODY_DEADLINE: Duration = Duration::from_secs(15);

/// Carries out one push.
pub(super) async fn push(site: &Site, peer: IpAddr, request: Request<Incoming>) -> Answer {
    let response = attempt(site, peer, request)
        .await
        .unwrap_or_else(|refused| refused);
    if response.status() != StatusCode::OK {
        site.world
            .metrics
            .note(Happening::PushRefused, response.status());
    }
    response
}

async fn attempt(site: &Site, peer: IpAddr, request: Request<Incoming>) -> Result<Answer, Answer> {
    let world = &site.world;
    let config = &world.config.push;
    push_allowed(config, peer, request.headers()).map_err(not_allowed)?;

    let (head, incoming) = request.into_parts();
    let body = body::read(
        &head.headers,
        incoming,
        config.max_body_bytes,
        &site.body_room,
        BODY_DEADLINE,
    )
    .await
    .map_err(|reason| match reason {
        BodyRefusal::TooBig(_) => {
            world.metrics.note(Happening::BodyTooBig, reason);
            refusal(StatusCode::PAYLOAD_TOO_LARGE, reason)
        }
        BodyRefusal::TooSlow => {
            world.metrics.note(Happening::BodyTooSlow, reason);
            refusal(StatusCode::REQUEST_TIMEOUT, reason)
        }
        BodyRefusal::NoRoom => {
            world.metrics.note(Happening::Overloaded, reason);
            retry_later(StatusCode::SERVICE_UNAVAILABLE, reason, 1)
        }
        BodyRefusal::Broken => refusal(StatusCode::BAD_REQUEST, reason),
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
    world
        .hub
        .publish(form.recipients(), &frame, deflated.as_ref())
        .map_err(|reason| {
            world.metrics.note(Happening::Overloaded, reason);
            retry_later(StatusCode::SERVICE_UNAVAILABLE, reason, 1)
        })?;
    world.metrics.count(Happening::Push);
    Ok(classic(&head.headers, "ok"))
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
    match reason {
        PushRefusal::WrongKey | PushRefusal::KeyRequired => {
            let mut response = refusal(StatusCode::UNAUTHORIZED, reason);
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            response
        }
        PushRefusal::Forwarded | PushRefusal::WebPage => refusal(StatusCode::FORBIDDEN, reason),
    }
}
