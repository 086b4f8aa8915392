//! The API of version 1, in JSON: push durably, and ask what became of a push. Errors are `application/problem+json` (RFC 9457).
//!
//! - `POST /api/v1/push` – store and send
//! - `GET /api/v1/push/ID` – its receipts

mod draft;
mod problem;
mod push;
mod receipts;

use super::answer::Answer;
use super::route::Site;
use crate::auth::Caller;
use hyper::body::Incoming;
use hyper::{Method, Request, StatusCode};
use problem::Problem;
pub(super) use push::new_id;

/// Everything below here is the API's.
pub(super) const PREFIX: &str = "/api/";

/// Answers one request below [`PREFIX`].
pub(super) async fn answer(site: &Site, caller: Caller, request: Request<Incoming>) -> Answer {
    let path = request.uri().path().to_owned();
    let outcome = match (path.strip_prefix("/api/v1/push"), request.method()) {
        (Some(""), &Method::POST) => push::push(site, caller, request).await,
        (Some(""), _) => Err(Problem::method("POST")),
        (Some(id), method) if id.len() > 1 && id.starts_with('/') => match *method {
            Method::GET => receipts::receipts(site, caller, &request, &id[1..]).await,
            _ => Err(Problem::method("GET")),
        },
        _ => Err(Problem::new(
            StatusCode::NOT_FOUND,
            "there is no such resource; see docs/api.md",
        )),
    };
    outcome.unwrap_or_else(Problem::into_answer)
}
