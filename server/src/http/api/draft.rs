//! The body of `POST /api/v1/push`, read and checked. Each refusal names the field, the limit, and what to do.

use super::problem::Problem;
use bytes::Bytes;
use heartline_protocol::{Limits, User, recipients};
use hyper::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A push as it was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The idempotency key, if the sender named one.
    pub id: Option<String>,
    /// To whom, each once.
    pub recipients: Vec<User>,
    /// The event.
    pub event: String,
    /// What a device gets, as JSON text.
    pub text: Bytes,
    /// It is sent to those who are there, and not stored.
    pub transient: bool,
    /// It is of no use after this long.
    pub ttl_ms: Option<u64>,
    /// Only the latest of this key is kept.
    pub collapse_key: Option<String>,
    /// When nobody has acknowledged it by then, the application is told.
    pub undelivered_ms: Option<u64>,
    /// How long the answer waits for acknowledgements; `None`: it does not.
    pub wait_acked_ms: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Body<'a> {
    #[serde(borrow)]
    to: &'a RawValue,
    event: String,
    #[serde(borrow)]
    msg: &'a RawValue,
    id: Option<String>,
    #[serde(default)]
    transient: bool,
    ttl: Option<u64>,
    collapse_key: Option<String>,
    undelivered: Option<u64>,
    #[serde(default)]
    wait: Wait,
    wait_ms: Option<u64>,
}

#[derive(Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Wait {
    #[default]
    Stored,
    Acked,
}

/// The longest id and the longest collapse key, in bytes.
const MAX_NAME_BYTES: usize = 128;
/// The longest life and the longest deadline, in seconds: a year.
const MAX_SECONDS: u64 = 31_536_000;
/// How long an answer waits for acknowledgements unless it is told, and at the most.
const WAIT_MS: (u64, u64) = (10_000, 60_000);

/// Reads the body. `header`: the request's `Idempotency-Key`.
pub(super) fn read(body: &[u8], header: Option<&str>, limits: &Limits) -> Result<Asked, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let text = std::str::from_utf8(body).map_err(|_| bad("the body is not UTF-8".into()))?;
    let body: Body<'_> =
        serde_json::from_str(text).map_err(|error| bad(format!("the body: {error}")))?;
    let to: Vec<String> = serde_json::from_str(body.to.get())
        .or_else(|_| serde_json::from_str(body.to.get()).map(|one| vec![one]))
        .map_err(|_| {
            bad("field `to` must be a text such as \"user:6\", or a list of them".into())
        })?;
    let found = recipients(to.iter().map(String::as_str));
    if found.users.is_empty() || found.malformed > 0 {
        return Err(bad(
            "field `to` names no user; a user is written ROLE:ID, such as user:6".into(),
        ));
    }
    if found.users.len() > limits.push_recipients {
        let limit = limits.push_recipients;
        let detail = format!(
            "field `to` has more than {limit} recipients: split the push, or raise limits.max_recipients"
        );
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
    }
    if body.event.is_empty() || body.event.len() > limits.event_bytes {
        return Err(bad(format!(
            "field `event` must have 1 to {} bytes",
            limits.event_bytes
        )));
    }
    let id = match (body.id, header) {
        (Some(id), Some(header)) if id != header => {
            return Err(bad(
                "field `id` and the header Idempotency-Key differ: send one of them".into(),
            ));
        }
        (Some(id), _) => Some(id),
        (None, header) => header.map(str::to_owned),
    };
    if id.as_ref().is_some_and(|id| !is_name(id)) {
        return Err(bad(format!(
            "field `id` must have 1 to {MAX_NAME_BYTES} visible ASCII characters"
        )));
    }
    if body
        .collapse_key
        .as_ref()
        .is_some_and(|key| key.is_empty() || key.len() > MAX_NAME_BYTES)
    {
        return Err(bad(format!(
            "field `collapseKey` must have 1 to {MAX_NAME_BYTES} bytes"
        )));
    }
    for (name, seconds) in [("ttl", body.ttl), ("undelivered", body.undelivered)] {
        if seconds.is_some_and(|seconds| seconds == 0 || seconds > MAX_SECONDS) {
            return Err(bad(format!(
                "field `{name}` must be 1 to {MAX_SECONDS} seconds"
            )));
        }
    }
    let wait_ms = body.wait_ms.unwrap_or(WAIT_MS.0);
    if wait_ms > WAIT_MS.1 {
        return Err(bad(format!(
            "field `waitMs` must be at most {} milliseconds",
            WAIT_MS.1
        )));
    }
    if body.transient
        && (id.is_some()
            || body.ttl.is_some()
            || body.collapse_key.is_some()
            || body.undelivered.is_some()
            || body.wait == Wait::Acked)
    {
        return Err(bad(
            "a transient push is not stored: `id`, `ttl`, `collapseKey`, `undelivered` and `wait` \"acked\" do not go with it".into(),
        ));
    }
    let text = format!(
        "{{\"event\":{},\"msg\":{},\"type\":\"app\"}}",
        serde_json::Value::from(body.event.as_str()),
        body.msg.get()
    );
    Ok(Asked {
        id,
        recipients: found.users,
        event: body.event,
        text: text.into(),
        transient: body.transient,
        ttl_ms: body.ttl.map(|seconds| seconds * 1_000),
        collapse_key: body.collapse_key,
        undelivered_ms: body.undelivered.map(|seconds| seconds * 1_000),
        wait_acked_ms: (body.wait == Wait::Acked).then_some(wait_ms),
    })
}

fn is_name(text: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        let problem = read(body.as_bytes(), None, &Limits::default()).unwrap_err();
        format!("{problem:?}")
    }

    #[test]
    fn a_push_is_read_and_spelled_as_it_came() {
        let body = r#"{"to":["user:1","user:2","user:1"],"event":"chat1","msg":{"n":1.0,"big":12345678901234567890},
            "id":"a-1","ttl":60,"collapseKey":"badge","undelivered":5,"wait":"acked","waitMs":500}"#;
        let asked = read(body.as_bytes(), Some("a-1"), &Limits::default()).unwrap();
        assert_eq!(
            asked.text,
            r#"{"event":"chat1","msg":{"n":1.0,"big":12345678901234567890},"type":"app"}"#
        );
        assert_eq!(asked.recipients.len(), 2);
        assert_eq!(
            (asked.ttl_ms, asked.undelivered_ms, asked.wait_acked_ms),
            (Some(60_000), Some(5_000), Some(500))
        );
        assert_eq!(
            (asked.id.as_deref(), asked.collapse_key.as_deref()),
            (Some("a-1"), Some("badge"))
        );
    }

    #[test]
    fn each_refusal_names_its_field() {
        for (body, names) in [
            ("[]", "the body"),
            (r#"{"event":"e","msg":1}"#, "`to`"),
            (r#"{"to":7,"event":"e","msg":1}"#, "`to`"),
            (r#"{"to":"nobody","event":"e","msg":1}"#, "`to`"),
            (r#"{"to":"user:1","msg":1}"#, "`event`"),
            (r#"{"to":"user:1","event":"","msg":1}"#, "`event`"),
            (r#"{"to":"user:1","event":"e"}"#, "`msg`"),
            (r#"{"to":"user:1","event":"e","msg":1,"tll":3}"#, "tll"),
            (r#"{"to":"user:1","event":"e","msg":1,"ttl":0}"#, "`ttl`"),
            (r#"{"to":"user:1","event":"e","msg":1,"id":"a b"}"#, "`id`"),
            (
                r#"{"to":"user:1","event":"e","msg":1,"collapseKey":""}"#,
                "`collapseKey`",
            ),
            (
                r#"{"to":"user:1","event":"e","msg":1,"waitMs":60001}"#,
                "`waitMs`",
            ),
            (
                r#"{"to":"user:1","event":"e","msg":1,"wait":"read"}"#,
                "read",
            ),
            (
                r#"{"to":"user:1","event":"e","msg":1,"transient":true,"ttl":3}"#,
                "transient",
            ),
        ] {
            let told = refusal(body);
            assert!(told.contains(names), "{body}: {told}");
        }
    }
}
