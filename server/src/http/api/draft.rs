//! The body of `POST /api/v1/push`, read and checked. Each refusal names the field, the limit, and what to do.

use super::super::refusal::Refusal;
use bytes::Bytes;
use heartline_protocol::{JsonBody, Limits, PushError, User, recipients};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A push as it was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// The idempotency key, if the sender named one.
    pub id: Option<String>,
    /// To whom, each once, in the order of their names.
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

/// The fields there are.
const FIELDS: [&str; 10] = [
    "to",
    "event",
    "msg",
    "id",
    "ttl",
    "collapseKey",
    "transient",
    "undelivered",
    "wait",
    "waitMs",
];

/// The longest id and the longest collapse key, in bytes.
const MAX_NAME_BYTES: usize = 128;
/// The longest life and the longest deadline, in seconds: a year.
const MAX_SECONDS: u64 = 31_536_000;
/// How long an answer waits for acknowledgements unless it is told, and at the most.
const WAIT_MS: (u64, u64) = (10_000, 60_000);

/// Reads the body. `header`: the request's `Idempotency-Key`.
pub(super) fn read(body: &[u8], header: Option<&str>, limits: &Limits) -> Result<Asked, Refusal> {
    let fields = Fields::read(body, limits)?;
    let recipients = to(&fields, limits)?;
    let event = fields.text("event", "a text")?;
    let event = event.ok_or_else(|| missing("event", "the event's name"))?;
    if event.is_empty() || event.len() > limits.event_bytes {
        return Err(Refusal::bad(format_args!(
            "field `event` must have 1 to {} bytes, and has {}",
            limits.event_bytes,
            event.len()
        )));
    }
    let msg = fields.0.field("msg");
    let msg = msg.ok_or_else(|| missing("msg", "any JSON value"))?;
    let id = id(&fields, header)?;
    let collapse_key = fields.text("collapseKey", "a text")?;
    if (collapse_key.as_ref()).is_some_and(|key| !(1..=MAX_NAME_BYTES).contains(&key.len())) {
        return Err(Refusal::bad(format_args!(
            "field `collapseKey` must have 1 to {MAX_NAME_BYTES} bytes"
        )));
    }
    let ttl = fields.number("ttl", 1..=MAX_SECONDS, "seconds")?;
    let undelivered = fields.number("undelivered", 1..=MAX_SECONDS, "seconds")?;
    let wait_ms = fields.number("waitMs", 0..=WAIT_MS.1, "milliseconds")?;
    let wait = fields.text("wait", r#""stored" or "acked""#)?;
    let waits_acked = match wait.as_deref() {
        None | Some("stored") => false,
        Some("acked") => true,
        Some(_) => return Err(fields.wrong("wait", r#""stored" or "acked""#)),
    };
    let transient = fields.truth("transient")?;
    if transient
        && (id.is_some()
            || ttl.is_some()
            || collapse_key.is_some()
            || undelivered.is_some()
            || waits_acked)
    {
        return Err(Refusal::bad(
            "a transient push is not stored: `id`, `ttl`, `collapseKey`, `undelivered` and `wait` \"acked\" do not go with it",
        ));
    }
    let text = format!(
        "{{\"event\":{},\"msg\":{},\"type\":\"app\"}}",
        serde_json::Value::from(&*event),
        msg.get()
    );
    Ok(Asked {
        id,
        recipients,
        event: event.into_owned(),
        text: text.into(),
        transient,
        ttl_ms: ttl.map(|seconds| seconds * 1_000),
        collapse_key: collapse_key.map(Cow::into_owned),
        undelivered_ms: undelivered.map(|seconds| seconds * 1_000),
        wait_acked_ms: waits_acked.then_some(wait_ms.unwrap_or(WAIT_MS.0)),
    })
}

/// The recipients, each once, in the order of their names: so that a repeat that names them in another order is one.
fn to(fields: &Fields<'_>, limits: &Limits) -> Result<Vec<User>, Refusal> {
    const WANTED: &str = r#"a text such as "user:6", or a list of them"#;
    let raw = (fields.value("to")).ok_or_else(|| missing("to", WANTED))?;
    let to: Vec<Cow<'_, str>> = match text_of(raw) {
        Some(one) => vec![one],
        None => serde_json::from_str::<Vec<&RawValue>>(raw.get())
            .ok()
            .and_then(|list| list.into_iter().map(text_of).collect())
            .ok_or_else(|| fields.wrong("to", WANTED))?,
    };
    // Stray commas within one text are the classic list's; an entry of a list that is empty was meant to be somebody.
    if to.len() > 1 && to.iter().any(|entry| entry.trim().is_empty()) {
        return Err(Refusal::bad(
            "field `to` has an empty entry: leave it out, or name the user that it was meant to be",
        ));
    }
    let mut found = recipients(to.iter().map(AsRef::as_ref));
    if let Some((entry, reason)) = found.first_malformed {
        return Err(Refusal::bad(format_args!(
            "field `to`: {entry:?} names no user: {reason}; a user is written ROLE:ID, such as user:6"
        )));
    }
    if found.users.is_empty() {
        return Err(PushError::NoRecipient.into());
    }
    if found.users.len() > limits.push_recipients {
        return Err(PushError::TooManyRecipients {
            limit: limits.push_recipients,
        }
        .into());
    }
    found.users.sort_unstable();
    Ok(found.users)
}

fn id(fields: &Fields<'_>, header: Option<&str>) -> Result<Option<String>, Refusal> {
    let field = fields.text("id", "a text")?;
    let (id, name) = match (field, header) {
        (Some(id), Some(header)) if id != header => {
            return Err(Refusal::bad(
                "field `id` and the header Idempotency-Key differ: send one of them",
            ));
        }
        (Some(id), _) => (id, "field `id`"),
        (None, Some(header)) => (header.into(), "the header Idempotency-Key"),
        (None, None) => return Ok(None),
    };
    // A path ends at a dot segment, so that the receipts of such an id could not be asked for.
    let is_dots = matches!(&*id, "." | "..");
    let is_visible = id.bytes().all(|byte| byte.is_ascii_graphic());
    if is_dots || !is_visible || !(1..=MAX_NAME_BYTES).contains(&id.len()) {
        return Err(Refusal::bad(format_args!(
            "{name} must have 1 to {MAX_NAME_BYTES} visible ASCII characters, and not be `.` or `..`"
        )));
    }
    Ok(Some(id.into_owned()))
}

/// The fields of a body; each reader says what it wants and what it found. `null` counts as absent, but in `msg`.
struct Fields<'a>(JsonBody<'a>);

impl<'a> Fields<'a> {
    fn read(body: &'a [u8], limits: &Limits) -> Result<Self, Refusal> {
        let fields = JsonBody::read(body, limits)?;
        let is_unknown = |name: &&str| !FIELDS.contains(name);
        if let Some(unknown) = fields.names().find(is_unknown) {
            let unknown: String = unknown.chars().take(64).collect();
            return Err(Refusal::bad(format_args!(
                "field {unknown:?} is not known; the fields are {}",
                FIELDS.join(", ")
            )));
        }
        if let Some(field) = fields.repeated().first() {
            let field = field.clone();
            return Err(PushError::Repeated { field }.into());
        }
        Ok(Self(fields))
    }

    fn value(&self, name: &str) -> Option<&'a RawValue> {
        self.0.field(name).filter(|raw| raw.get() != "null")
    }

    fn text(&self, name: &str, wanted: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let found = self.value(name).map(|raw| text_of(raw).ok_or(()));
        found.transpose().map_err(|()| self.wrong(name, wanted))
    }

    fn truth(&self, name: &str) -> Result<bool, Refusal> {
        match self.value(name).map(RawValue::get) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(self.wrong(name, "true or false")),
        }
    }

    fn number(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
        unit: &str,
    ) -> Result<Option<u64>, Refusal> {
        let Some(raw) = self.value(name) else {
            return Ok(None);
        };
        match raw.get().parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => {
                let (from, to) = range.into_inner();
                let wanted = format!("a whole number of {unit}, {from} to {to}");
                Err(self.wrong(name, &wanted))
            }
        }
    }

    /// The value of a field is not what was wanted.
    fn wrong(&self, name: &str, wanted: &str) -> Refusal {
        let found = self.value(name).map_or("", RawValue::get);
        let found = match found.as_bytes() {
            [b'{', ..] => "an object".to_owned(),
            [b'[', ..] => "a list".to_owned(),
            _ => {
                let shown = |c: char| {
                    if c.is_control() {
                        char::REPLACEMENT_CHARACTER
                    } else {
                        c
                    }
                };
                found.chars().take(40).map(shown).collect()
            }
        };
        Refusal::bad(format_args!(
            "field `{name}` must be {wanted}, and is {found}"
        ))
    }
}

fn missing(name: &str, wanted: &str) -> Refusal {
    Refusal::bad(format_args!("field `{name}` is missing: {wanted}"))
}

/// The text that a JSON string spells.
fn text_of(raw: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(serde::Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str::<Text<'_>>(raw.get())
        .ok()
        .map(|text| text.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        let refused = read(body.as_bytes(), None, &Limits::default());
        refused.unwrap_err().to_string()
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
    fn each_refusal_names_its_field_the_limit_and_what_was_found() {
        let body = |rest: &str| format!(r#"{{"to":"user:1","event":"e","msg":1,{rest}}}"#);
        let replaced = |to: &str| format!(r#"{{"to":{to},"event":"e","msg":1}}"#);
        for (body, sentence) in [
            ("[]".to_owned(), "the body is not a JSON object"),
            (
                r#"["user:1","e",1]"#.into(),
                "the body is not a JSON object",
            ),
            (String::new(), "the body is not JSON"),
            (
                r#"{"event":"e","msg":1}"#.into(),
                "field `to` is missing: a text such as",
            ),
            (
                replaced("7"),
                r#"field `to` must be a text such as "user:6", or a list of them, and is 7"#,
            ),
            (
                replaced(r#"["user:1",null]"#),
                "or a list of them, and is a list",
            ),
            (
                replaced("[]"),
                "field `to` names no user: a user is written ROLE:ID, such as user:6",
            ),
            (
                replaced(r#""user:1,nobody""#),
                r#"field `to`: "nobody" names no user"#,
            ),
            (replaced(r#""user:a\u0000user:b""#), "names no user"),
            (
                r#"{"to":"user:1","msg":1}"#.into(),
                "field `event` is missing",
            ),
            (
                r#"{"to":"user:1","event":"","msg":1}"#.into(),
                "field `event` must have 1 to 256 bytes, and has 0",
            ),
            (
                r#"{"to":"user:1","event":{},"msg":1}"#.into(),
                "field `event` must be a text, and is an object",
            ),
            (
                r#"{"to":"user:1","event":"e"}"#.into(),
                "field `msg` is missing",
            ),
            (
                r#"{"to":"user:1","event":"e","msg":"\ud83d"}"#.into(),
                "field `msg` has half of a surrogate pair",
            ),
            (
                r#"{"to":"user:1","event":"e","msg":1e999}"#.into(),
                "field `msg` has a number beyond",
            ),
            (
                body(r#""tll":3"#),
                r#"field "tll" is not known; the fields are to, event, msg, id,"#,
            ),
            (body(r#""type":"app""#), r#"field "type" is not known"#),
            (body(r#""msg":2"#), "field `msg` is there more than once"),
            (
                body(r#""ttl":0"#),
                "field `ttl` must be a whole number of seconds, 1 to 31536000, and is 0",
            ),
            (body(r#""ttl":1.5"#), "and is 1.5"),
            (body(r#""ttl":"60""#), r#"and is "60""#),
            (
                body(r#""undelivered":99999999999999999999"#),
                "field `undelivered` must be a whole number of seconds",
            ),
            (
                body(r#""waitMs":60001"#),
                "field `waitMs` must be a whole number of milliseconds, 0 to 60000, and is 60001",
            ),
            (
                body(r#""id":"a b""#),
                "field `id` must have 1 to 128 visible ASCII characters",
            ),
            (body(r#""id":"..""#), "field `id` must have"),
            (body(r#""id":17"#), "field `id` must be a text, and is 17"),
            (
                body(r#""collapseKey":"""#),
                "field `collapseKey` must have 1 to 128 bytes",
            ),
            (
                body(r#""wait":"read""#),
                r#"field `wait` must be "stored" or "acked", and is "read""#,
            ),
            (
                body(r#""transient":1"#),
                "field `transient` must be true or false, and is 1",
            ),
            (
                body(r#""transient":true,"ttl":3"#),
                "a transient push is not stored",
            ),
        ] {
            let found = refusal(&body);
            assert!(found.contains(sentence), "{body}: {found}");
            assert!(!found.contains("line 1"), "{body}: {found}");
        }
        let deep = format!("{}{}", "[".repeat(100), "]".repeat(100));
        let deep = format!(r#"{{"to":"user:1","event":"e","msg":{deep}}}"#);
        assert!(refusal(&deep).contains("nested deeper than 100 levels"));
    }

    #[test]
    fn a_byte_order_mark_and_nulls_are_passed_over() {
        let body =
            "\u{feff}{\"to\":\"user:1\",\"event\":\"e\",\"msg\":null,\"ttl\":null,\"id\":null}";
        let asked = read(body.as_bytes(), None, &Limits::default()).unwrap();
        assert_eq!(asked.text, r#"{"event":"e","msg":null,"type":"app"}"#);
        assert_eq!((asked.ttl_ms, asked.id), (None, None));
    }
}
