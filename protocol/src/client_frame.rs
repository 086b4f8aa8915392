//! Client → server: `{"event": NAME, "data": OBJECT?, "uuid": ID}`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::{DecodeError, envelope, json};

/// A message of a client. `data` and `uuid` are as they were spelled, not parsed.
#[derive(Clone, Debug)]
pub struct ClientFrame<'a> {
    /// The event's name. `None` when it is missing or not a string: the server still owes an answer to `uuid`.
    pub event: Option<Cow<'a, str>>,
    /// The payload.
    pub data: Option<&'a RawValue>,
    /// The id that the answer must carry, unchanged. Any JSON value.
    pub uuid: Option<&'a RawValue>,
}

/// Reads one frame (text or binary) of a client.
///
/// # Errors
/// [`DecodeError`] when the bytes are no JSON object; such a frame is counted and ignored.
pub fn decode_client(bytes: &[u8]) -> Result<ClientFrame<'_>, DecodeError> {
    let (_, [event, data, uuid]) = envelope::fields(bytes, ["event", "data", "uuid"])?;
    Ok(ClientFrame {
        event: event.and_then(json::as_str),
        data,
        uuid,
    })
}

/// A request: `{"event":EVENT,"data":DATA,"uuid":"UUID"}`; no `data` field when there is none.
pub fn encode_request(event: &str, data: Option<&RawValue>, uuid: &str) -> String {
    let mut out =
        String::with_capacity(40 + event.len() + uuid.len() + data.map_or(0, |d| d.get().len()));
    out.push_str("{\"event\":");
    json::write_str(&mut out, event);
    if let Some(data) = data {
        out.push_str(",\"data\":");
        out.push_str(data.get());
    }
    out.push_str(",\"uuid\":");
    json::write_str(&mut out, uuid);
    out.push('}');
    out
}

/// The answer to a server ping: `{"event":"response","uuid":UUID}`, the uuid as the server spelled it.
pub fn encode_response(uuid: &RawValue) -> String {
    format!("{{\"event\":\"response\",\"uuid\":{}}}", uuid.get())
}
