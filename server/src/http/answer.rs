//! Responses: small, whole, with a `Content-Length`. A refusal says why, in one sentence of plain text.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use hyper::{Response, StatusCode};

/// A response with a body that is known.
pub(super) type Answer = Response<Full<Bytes>>;

/// A status and a body.
pub(super) fn answer(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    if !kind.is_empty() {
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    response
}

/// A refusal. The connection is closed after it: what is left of the request may be large, or never come.
pub(super) fn refusal(status: StatusCode, reason: impl std::fmt::Display) -> Answer {
    let mut response = answer(status, "text/plain; charset=utf-8", format!("{reason}\n"));
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// A refusal that is worth another attempt after so many seconds.
pub(super) fn retry_later(
    status: StatusCode,
    reason: impl std::fmt::Display,
    seconds: u32,
) -> Answer {
    let mut response = refusal(status, reason);
    response
        .headers_mut()
        .insert(hyper::header::RETRY_AFTER, HeaderValue::from(seconds));
    response
}
