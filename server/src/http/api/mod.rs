//! The API of version 1, in JSON: push durably, and ask what became of a push. Errors are `application/problem+json` (RFC 9457).
//!
//! - `POST /api/v1/push` – store and send
//! - `GET /api/v1/push/ID` – its receipts

mod draft;
mod push;
mod receipts;

use super::answer::Answer;
use super::path;
use super::refusal::Refusal;
use super::route::Site;
use crate::auth::Caller;
use hyper::body::Incoming;
use hyper::{Method, Request};
pub(super) use push::new_id;

/// Answers one request below [`path::API`].
pub(super) async fn answer(site: &Site, caller: Caller, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let outcome = match (path.strip_prefix("/api/v1/push"), request.method()) {
        (Some(""), &Method::POST) => push::push(site, caller, request).await,
        (Some(""), _) => Err(Refusal::method("POST")),
        (Some(id), method) if id.len() > 1 && id.starts_with('/') => match *method {
            Method::GET => match path::decoded(&id[1..]) {
                Ok(id) => receipts::receipts(site, caller, &request, &id).await,
                Err(refusal) => Err(refusal),
            },
            _ => Err(Refusal::method("GET")),
        },
        _ => Err(path::not_found()),
    };
    outcome.unwrap_or_else(Refusal::into_problem)
}
