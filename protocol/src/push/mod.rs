//! The HTTP push: from the fields of a form (or a JSON body) to the one frame that every device gets.
//!
//! Rules of the classic protocol, section 2: the frame is the form as it came, further fields included, in its
//! order; `msg` is decoded when it is JSON ([`message`]); `to` names the recipients ([`recipients`]); names such as
//! `to[0]` build arrays as PHP does ([`php_array`]). Whether an event may be pushed is the caller's question.

mod json_object;
mod message;
mod php_array;
mod recipients;

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::durable::HL;
use crate::{Limits, PushError, User, UserError, json};
pub use json_object::JsonBody;
use json_object::shown;
use php_array::{PhpArray, Value};
pub use recipients::{Recipients, recipients};

/// A push that is well formed: what to send, and to whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushForm {
    event: String,
    recipients: Recipients,
    frame: String,
}

impl PushForm {
    /// Reads the fields of a form, names and values already percent-decoded (or taken out of multipart), in order.
    ///
    /// ```
    /// use heartline_protocol::{Limits, PushForm};
    /// let form = PushForm::from_pairs(
    ///     [("event", "chat1"), ("msg", r#"{"a":1.0}"#), ("to[0]", "user:1"), ("type", "app")],
    ///     &Limits::default(),
    /// )?;
    /// assert_eq!(form.frame(), r#"{"event":"chat1","msg":{"a":1.0},"to":["user:1"],"type":"app"}"#);
    /// # Ok::<(), heartline_protocol::PushError>(())
    /// ```
    ///
    /// # Errors
    /// [`PushError`] with the reason, to be answered with its [`PushError::status`].
    pub fn from_pairs<N: AsRef<[u8]>, V: AsRef<[u8]>>(
        pairs: impl IntoIterator<Item = (N, V)>,
        limits: &Limits,
    ) -> Result<Self, PushError> {
        let mut fields = PhpArray::default();
        for (count, (name, value)) in pairs.into_iter().enumerate() {
            if count >= limits.push_fields {
                return Err(PushError::TooManyFields {
                    limit: limits.push_fields,
                });
            }
            let not_utf8 = |_| PushError::NotUtf8 {
                field: shown(&String::from_utf8_lossy(name.as_ref())),
            };
            let value = std::str::from_utf8(value.as_ref()).map_err(not_utf8)?;
            let name = std::str::from_utf8(name.as_ref()).map_err(not_utf8)?;
            if fields.insert(name, value, limits.form_depth)?
                && let Some(field) = SINGLE.iter().find(|field| is_part_of(name, field))
            {
                return Err(PushError::Repeated {
                    field: (*field).to_owned(),
                });
            }
        }

        if fields.field(HL).is_some() {
            return Err(PushError::Reserved { field: HL });
        }
        let event = match fields.field("event") {
            Some(Value::Text(event)) => event.clone(),
            Some(Value::Array(_)) => return Err(shape("event", "text")),
            None => return Err(PushError::Missing { field: "event" }),
        };
        match fields.field("msg") {
            Some(Value::Text(_)) => {}
            Some(Value::Array(_)) => return Err(shape("msg", "text")),
            None => return Err(PushError::Missing { field: "msg" }),
        }
        let to = match fields.field("to") {
            Some(Value::Text(to)) => vec![to.as_str()],
            Some(Value::Array(list)) => list
                .texts()
                .ok_or_else(|| shape("to", "text or a list of texts"))?,
            None => return Err(PushError::Missing { field: "to" }),
        };
        let recipients = checked_recipients(to, limits)?;
        match fields.field("type") {
            Some(Value::Text(text)) if text == APP => {}
            Some(_) => return Err(PushError::ReservedType),
            None => fields.append("type", APP),
        }
        let frame = fields.encode(|out, name, text| match name {
            "msg" => message::write(out, text, limits.json_depth),
            _ => {
                json::write_str(out, text);
                Ok(())
            }
        })?;
        Self::finish(event, recipients, frame, limits)
    }

    /// The event's name.
    pub fn event(&self) -> &str {
        &self.event
    }

    /// The users named, each once, in the order in which they were named.
    pub fn recipients(&self) -> &[User] {
        &self.recipients.users
    }

    /// How many entries of `to` named no user and were passed over.
    pub fn malformed_recipients(&self) -> usize {
        self.recipients.malformed
    }

    /// The first of them, at most 64 characters of it, and why it names no user.
    pub fn first_malformed_recipient(&self) -> Option<&(String, UserError)> {
        self.recipients.first_malformed.as_ref()
    }

    /// The frame for every device, as JSON.
    pub fn frame(&self) -> &str {
        &self.frame
    }

    /// The frame, without a copy.
    pub fn into_frame(self) -> String {
        self.frame
    }

    fn finish(
        event: String,
        recipients: Recipients,
        frame: String,
        limits: &Limits,
    ) -> Result<Self, PushError> {
        if event.len() > limits.event_bytes {
            return Err(PushError::EventTooLong {
                limit: limits.event_bytes,
            });
        }
        Ok(Self {
            event,
            recipients,
            frame,
        })
    }
}

/// Reads a push whose body is a JSON object.
///
/// A `msg` that is a string follows the rule for text; any other value goes as it was spelled; `null` counts as
/// missing. `to` is a string or an array of strings. Of a further field that stands there twice the last value counts, at the
/// first one's place.
///
/// # Errors
/// [`PushError`] with the reason, to be answered with its [`PushError::status`].
pub fn decode_push_json(bytes: &[u8], limits: &Limits) -> Result<PushForm, PushError> {
    let fields = JsonBody::read(bytes, limits)?;
    if let Some(field) = (fields.repeated().iter()).find(|field| SINGLE.contains(&field.as_str())) {
        return Err(PushError::Repeated {
            field: field.clone(),
        });
    }
    if fields.field(HL).is_some() {
        return Err(PushError::Reserved { field: HL });
    }
    let present = |name: &'static str| {
        let found = fields.field(name).filter(|value| value.get() != "null");
        found.ok_or(PushError::Missing { field: name })
    };
    let event = json::as_str(present("event")?)
        .ok_or_else(|| shape("event", "text"))?
        .into_owned();
    present("msg")?;
    let to = present("to")?;
    let wrong_to = || shape("to", "text or a list of texts");
    let to: Vec<Cow<'_, str>> = match json::as_str(to) {
        Some(one) => vec![one],
        None => serde_json::from_str::<Vec<&RawValue>>(to.get())
            .map_err(|_| wrong_to())?
            .into_iter()
            .map(json::as_str)
            .collect::<Option<_>>()
            .ok_or_else(wrong_to)?,
    };
    let recipients = checked_recipients(to.iter().map(AsRef::as_ref), limits)?;
    let kind = fields.field("type");
    if kind.is_some_and(|kind| json::as_str(kind).is_none_or(|kind| kind != APP)) {
        return Err(PushError::ReservedType);
    }
    let mut frame = fields.encode(|out, name, value| match (name, json::as_str(value)) {
        ("msg", Some(text)) => message::write(out, &text, limits.json_depth),
        _ => {
            out.push_str(value.get());
            Ok(())
        }
    })?;
    if kind.is_none() {
        frame.push_str(",\"type\":\"app\"");
    }
    frame.push('}');
    PushForm::finish(event, recipients, frame, limits)
}

/// The fields that say what is pushed and to whom: of none of them may one of two values be lost.
const SINGLE: [&str; 4] = ["event", "msg", "to", "type"];

/// The `type` of every push. Each other is a word of the protocol's own, such as `ping`.
const APP: &str = "app";

/// Whether the form name `name` sets `field` or something within it: `to`, `to[0]`.
fn is_part_of(name: &str, field: &str) -> bool {
    let rest = name.strip_prefix(field);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('['))
}

fn checked_recipients<'a>(
    to: impl IntoIterator<Item = &'a str>,
    limits: &Limits,
) -> Result<Recipients, PushError> {
    let found = recipients(to);
    match found.users.len() {
        0 => Err(PushError::NoRecipient),
        n if n > limits.push_recipients => Err(PushError::TooManyRecipients {
            limit: limits.push_recipients,
        }),
        _ => Ok(found),
    }
}

fn shape(field: &'static str, wanted: &'static str) -> PushError {
    PushError::Shape { field, wanted }
}
