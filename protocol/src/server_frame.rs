//! Server → client: `respon` (the reply to a request), `ping`, and pushes.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::value::RawValue;

use crate::durable::{self, GapReason, HL};
use crate::{DecodeError, envelope, json};

/// A message of the server.
#[derive(Clone, Debug)]
pub enum ServerFrame<'a> {
    /// The reply to a request.
    Respon {
        /// The request's uuid (`null` when the reply carries none).
        event: &'a RawValue,
        /// `data.error` is the number 0.
        ok: bool,
        /// The reply's data (`null` when there is none).
        data: &'a RawValue,
    },
    /// A server ping, to be answered with [`crate::encode_response`].
    Ping {
        /// The uuid to echo.
        uuid: &'a RawValue,
    },
    /// A push: any other object with an event's name. Its `type` is `app` by custom.
    Push {
        /// The event's name.
        event: Cow<'a, str>,
        /// The whole object.
        whole: &'a RawValue,
        /// Its place in a stream, where it has one.
        place: Option<(Cow<'a, str>, u32)>,
    },
    /// Where this device stands on a stream: what follows continues from there.
    Attached {
        /// The stream.
        stream: Cow<'a, str>,
        /// The epoch in which the offset counts.
        epoch: u64,
        /// It holds everything up to here.
        offset: u32,
    },
    /// Messages of a stream that will never come, both ends included. The device then stands at `to`.
    Gap {
        /// The stream.
        stream: Cow<'a, str>,
        /// The epoch in which the offsets count.
        epoch: u64,
        /// The first.
        from: u32,
        /// The last.
        to: u32,
        /// Why.
        reason: GapReason,
    },
    /// An object that is none of these: a sign of life only.
    Other,
}

/// Reads one frame of the server.
///
/// # Errors
/// [`DecodeError`] when the bytes are no JSON object; a client ignores such a frame.
pub fn decode_server(bytes: &[u8]) -> Result<ServerFrame<'_>, DecodeError> {
    let (text, [kind, event, data, uuid, place]) =
        envelope::fields(bytes, ["type", "event", "data", "uuid", HL])?;
    let kind = kind.and_then(json::as_str);
    Ok(match kind.as_deref() {
        Some("respon") => {
            let data = data.unwrap_or(RawValue::NULL);
            ServerFrame::Respon {
                event: event.unwrap_or(RawValue::NULL),
                ok: is_ok(data),
                data,
            }
        }
        Some("ping") => uuid.map_or(ServerFrame::Other, |uuid| ServerFrame::Ping { uuid }),
        Some(HL) => durable::decode_notice(text).unwrap_or(ServerFrame::Other),
        _ => match (event.and_then(json::as_str), json::parse(text)) {
            (Some(event), Some(whole)) => ServerFrame::Push {
                event,
                whole,
                place: place.and_then(durable::place),
            },
            _ => ServerFrame::Other,
        },
    })
}

/// A server ping: `{"type":"ping","uuid":N}`.
pub fn encode_ping(n: u64) -> String {
    format!("{{\"type\":\"ping\",\"uuid\":{n}}}")
}

/// A reply: `{"type":"respon","event":UUID,"data":{"error":ERROR,"body":"BODY"}}`.
/// The uuid as the client spelled it, or `null` when it gave none.
pub fn encode_respon(uuid: Option<&RawValue>, error: u32, body: &str) -> String {
    let mut out = open_respon(uuid, error, body.len() + 2);
    json::write_str(&mut out, body);
    out.push_str("}}");
    out
}

/// The same with a body that is JSON already: the answer of an application's own handler.
pub fn encode_respon_raw(uuid: Option<&RawValue>, error: u32, body: &RawValue) -> String {
    let mut out = open_respon(uuid, error, body.get().len());
    out.push_str(body.get());
    out.push_str("}}");
    out
}

fn open_respon(uuid: Option<&RawValue>, error: u32, body_bytes: usize) -> String {
    let uuid = uuid.unwrap_or(RawValue::NULL).get();
    let mut out = String::with_capacity(64 + uuid.len() + body_bytes);
    out.push_str("{\"type\":\"respon\",\"event\":");
    out.push_str(uuid);
    // Writing to a String cannot fail.
    let _ = write!(out, ",\"data\":{{\"error\":{error},\"body\":");
    out
}

/// JavaScript's `data.error === 0`: the number zero in any spelling, and nothing else.
fn is_ok(data: &RawValue) -> bool {
    envelope::fields_of(data, ["error"])
        .and_then(|[error]| error)
        .and_then(|error| error.get().parse::<f64>().ok())
        .is_some_and(|error| error == 0.0)
}
