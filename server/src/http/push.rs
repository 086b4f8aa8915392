//! One push: may it, is it well formed, to whom; then it is in the hub's order, and answered. What devices do with
//! it has no part in the answer.

use super::answer::{Answer, answer};
use super::api::new_id;
use super::refusal::Refusal;
use super::route::Site;
use super::{body, form};
use crate::auth::Caller;
use crate::config::Secret;
use crate::delivery::Draft;
use crate::metrics::Happening;
use crate::net::frame::{self, Deflated};
use crate::store::Push;
use bytes::Bytes;
use heartline_protocol::{PushForm, User};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use std::collections::BTreeMap;
use std::time::Duration;

/// What a body may take to come.
pub(super) const BODY_DEADLINE: Duration = Duration::from_secs(15);

/// Carries out one push.
pub(super) async fn push(site: &Site, caller: Caller, request: Request<Incoming>) -> Answer {
    attempt(site, caller, request)
        .await
        .unwrap_or_else(|refusal| {
            refusal.note(&site.world.metrics, caller.peer);
            refusal.into_text()
        })
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
    let mut content_types = head.headers.get_all(CONTENT_TYPE).iter();
    let content_type = content_types.next().map_or(Ok(""), HeaderValue::to_str);
    if content_types.next().is_some() {
        return Err(Refusal::bad(
            "several headers Content-Type: send one of them",
        ));
    }
    let content_type =
        content_type.map_err(|_| Refusal::bad("the header Content-Type is not ASCII"))?;
    let form = form::read(content_type, body.bytes.clone(), &site.push_limits).await?;

    if !site.push_events.allows(form.event()) {
        let reason = format_args!(
            "the event {:?} may not be pushed, answered `fail`: see push.events",
            form.event()
        );
        Refusal::new(StatusCode::OK, reason).note(&world.metrics, caller.peer);
        return Ok(classic(&head.headers, "fail"));
    }
    let unreachable = unreachable(site, &form);
    let frame = frame::text(form.frame().as_bytes());
    let deflated = world.compression.text(form.frame().as_bytes());
    if site.durable_events.allows(form.event()) {
        store(site, form, frame, deflated).await?;
    } else {
        world
            .hub
            .publish(form.recipients(), &frame, deflated.as_ref())
            .map_err(|reason| {
                Refusal::later(StatusCode::SERVICE_UNAVAILABLE, reason, 1)
                    .counted(Happening::Overloaded)
            })?;
    }
    world.metrics.count(Happening::Push);
    let mut response = classic(&head.headers, "ok");
    if let Some((count, first)) = unreachable {
        let detail = format_args!("{count} in `to`, the first: {first} (from {})", caller.peer);
        world.metrics.note(Happening::RecipientUnknown, detail);
        response
            .headers_mut()
            .insert(UNKNOWN_RECIPIENTS, HeaderValue::from(count));
    }
    Ok(response)
}

/// How many entries of `to` mean nobody who could ever log in, and the first of them with the reason. The answer stays `ok`,
/// as in the classic server: one empty id in a backend's list must not cost the others their message.
fn unreachable(site: &Site, form: &PushForm) -> Option<(usize, String)> {
    let (unknown, first) = unknown_roles(&site.world.config.roles, form.recipients());
    let count = form.malformed_recipients() + unknown;
    let first = match (form.first_malformed_recipient(), first) {
        (Some((entry, reason)), _) => format!("{entry:?}: {reason}"),
        (None, Some(user)) => format!("{:?}: the role is not configured", user.as_str()),
        (None, None) => String::new(),
    };
    (count > 0).then_some((count, first))
}

/// How many of these users have a role that is not configured, and the first of them.
pub(super) fn unknown_roles<'a>(
    roles: &BTreeMap<String, Secret>,
    users: &'a [User],
) -> (usize, Option<&'a User>) {
    // Most lists name one role: it is looked up once.
    let mut known = "";
    let mut unknown = users.iter().filter(|user| {
        let role = user.role();
        if role == known {
            return false;
        }
        match roles.get_key_value(role) {
            Some((role, _)) => {
                known = role;
                false
            }
            None => true,
        }
    });
    let first = unknown.next();
    (usize::from(first.is_some()) + unknown.count(), first)
}

/// Says in the answer `ok` how many entries of `to` mean nobody who could log in.
const UNKNOWN_RECIPIENTS: HeaderName = HeaderName::from_static("heartline-unknown-recipients");

/// Stores a push, and sends it.
async fn store(
    site: &Site,
    form: PushForm,
    frame: Bytes,
    deflated: Option<Deflated>,
) -> Result<(), Refusal> {
    let world = &site.world;
    let id = new_id()?;
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
    world.delivery.push(draft).await?;
    world.metrics.count(Happening::Stored);
    Ok(())
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
