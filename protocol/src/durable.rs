//! Durable delivery on the wire: what a device says of itself at login, and what it hears of its place in a stream.
//!
//! All of it is named `$hl`, and additive: a classic peer neither sends it nor is sent it. Offsets begin at 1 and are 32 bits
//! wide; an epoch is 64 bits, spelled as 16 lower-case hexadecimal digits.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use serde_json::value::RawValue;

use crate::{envelope, json};

/// The name of everything in this room.
pub const HL: &str = "$hl";
/// The event with which a device acknowledges.
pub const ACK: &str = "$hl:ack";
/// The event with which a device says that its app is hidden.
pub const PARK: &str = "$hl:park";
/// The event with which it says that its app is seen again.
pub const SHOW: &str = "$hl:show";
/// The version of the extension.
pub const VERSION: u32 = 1;
/// Streams that one message of a client may speak of.
pub const MAX_STREAMS: usize = 64;
/// The longest name of a device, in bytes.
pub const MAX_DEVICE_BYTES: usize = 64;

/// Where a device stands on a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The epoch in which the offsets count.
    pub epoch: u64,
    /// It holds everything up to here.
    pub received: u32,
    /// It has handled everything up to here, and remembers that.
    pub handled: u32,
}

/// What a device says of itself at login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginExtension {
    /// Its name, the same for as long as its storage lasts.
    pub device: Box<str>,
    /// Where it stands, by stream.
    pub positions: Vec<(Box<str>, Position)>,
}

/// Why the extension of a login cannot be used. The login itself stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionError {
    /// `$hl` is no object.
    NotAnObject,
    /// `v` is another version.
    Version,
    /// `device` is missing, too long, or has other characters.
    Device,
    /// `at` is not as it should be.
    Positions,
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("`$hl` must be an object"),
            Self::Version => write!(f, "`$hl.v` must be {VERSION}, the only version spoken here"),
            Self::Device => write!(
                f,
                "`$hl.device` must be 1 to {MAX_DEVICE_BYTES} of A-Z, a-z, 0-9, `.`, `_`, `-`"
            ),
            Self::Positions => write!(
                f,
                "`$hl.at` must map at most {MAX_STREAMS} streams to [EPOCH, RECEIVED, HANDLED]"
            ),
        }
    }
}

impl std::error::Error for ExtensionError {}

/// Reads the extension in the data of a login; `None` when there is none.
///
/// # Errors
/// [`ExtensionError`], to be answered with its sentence.
pub fn login_extension(data: &RawValue) -> Option<Result<LoginExtension, ExtensionError>> {
    let [extension] = envelope::fields_of(data, [HL])?;
    extension.map(decode_extension)
}

fn decode_extension(raw: &RawValue) -> Result<LoginExtension, ExtensionError> {
    let [version, device, at] =
        envelope::fields_of(raw, ["v", "device", "at"]).ok_or(ExtensionError::NotAnObject)?;
    if version.is_none_or(|version| version.get().parse() != Ok(VERSION)) {
        return Err(ExtensionError::Version);
    }
    let device = device.and_then(json::as_str).filter(|name| is_device(name));
    let device = device.ok_or(ExtensionError::Device)?.into();
    let positions = match at {
        None => Vec::new(),
        Some(at) => positions(at).ok_or(ExtensionError::Positions)?,
    };
    Ok(LoginExtension { device, positions })
}

/// Whether a device may be named so.
pub fn is_device(name: &str) -> bool {
    let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_DEVICE_BYTES).contains(&name.len()) && name.bytes().all(is_fine)
}

fn positions(raw: &RawValue) -> Option<Vec<(Box<str>, Position)>> {
    let of = |(stream, raw): (Box<str>, &RawValue)| {
        let (epoch, received, handled): (Cow<'_, str>, u32, u32) =
            serde_json::from_str(raw.get()).ok()?;
        let epoch = parse_epoch(&epoch)?;
        Some((
            stream,
            Position {
                epoch,
                received,
                handled,
            },
        ))
    };
    by_stream(raw)?.into_iter().map(of).collect()
}

/// An object of at most [`MAX_STREAMS`] entries.
fn by_stream(raw: &RawValue) -> Option<Vec<(Box<str>, &RawValue)>> {
    let found: std::collections::BTreeMap<Box<str>, &RawValue> =
        serde_json::from_str(raw.get()).ok()?;
    (found.len() <= MAX_STREAMS).then(|| found.into_iter().collect())
}

/// The number that 16 lower-case hexadecimal digits spell.
pub fn parse_epoch(text: &str) -> Option<u64> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == 16 && text.bytes().all(is_digit))
        .then(|| u64::from_str_radix(text, 16).ok())
        .flatten()
}

/// The data of a login with the extension: [`crate::encode_login_data`] and what the device says of itself.
pub fn encode_login_extended(u: &str, token: &str, extension: &LoginExtension) -> Box<RawValue> {
    let mut out = crate::encode_login_data(u, token).get().to_owned();
    out.pop();
    // Writing to a String cannot fail.
    let _ = write!(out, ",\"{HL}\":{{\"v\":{VERSION},\"device\":");
    json::write_str(&mut out, &extension.device);
    out.push_str(",\"at\":{");
    for (at, (stream, position)) in extension.positions.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::write_str(&mut out, stream);
        let Position {
            epoch,
            received,
            handled,
        } = position;
        let _ = write!(out, ":[\"{epoch:016x}\",{received},{handled}]");
    }
    out.push_str("}}}");
    // Just written as an object.
    RawValue::from_string(out).expect("an object")
}

/// The answer to a login with the extension: the classic one, and the window or what is wrong.
pub fn encode_login_accepted(
    uuid: Option<&RawValue>,
    body: &str,
    extension: Result<u32, &str>,
) -> String {
    let mut out = crate::encode_respon(uuid, 0, body);
    out.truncate(out.len() - 2);
    let _ = match extension {
        Ok(window) => write!(out, ",\"{HL}\":{{\"v\":{VERSION},\"window\":{window}}}"),
        Err(why) => {
            let _ = write!(out, ",\"{HL}\":{{\"v\":0,\"why\":");
            json::write_str(&mut out, why);
            out.write_char('}')
        }
    };
    out.push_str("}}");
    out
}

/// What the server says of the extension in the data of its answer to a login: the version it speaks, `None` when it is a classic
/// server; 0 when it did not like what it was sent.
pub fn spoken_version(data: &RawValue) -> Option<u32> {
    let [extension] = envelope::fields_of(data, [HL])?;
    let [version] = envelope::fields_of(extension?, ["v"])?;
    version?.get().parse().ok()
}

/// Why messages are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GapReason {
    /// They were too old or too many.
    Retention,
    /// The stream is another one than the device knew.
    Epoch,
}

impl GapReason {
    /// As on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retention => "retention",
            Self::Epoch => "epoch",
        }
    }
}

/// Where a device stands: `{"type":"$hl","at":[STREAM,EPOCH,OFFSET]}`.
pub fn encode_attached(stream: &str, epoch: u64, offset: u32) -> String {
    let mut out = format!("{{\"type\":\"{HL}\",\"at\":[");
    json::write_str(&mut out, stream);
    let _ = write!(out, ",\"{epoch:016x}\",{offset}]}}");
    out
}

/// What a device will never get: `{"type":"$hl","gap":[STREAM,EPOCH,FROM,TO,REASON]}`, both ends included.
pub fn encode_gap(stream: &str, epoch: u64, from: u32, to: u32, reason: GapReason) -> String {
    let mut out = format!("{{\"type\":\"{HL}\",\"gap\":[");
    json::write_str(&mut out, stream);
    let _ = write!(
        out,
        ",\"{epoch:016x}\",{from},{to},\"{}\"]}}",
        reason.as_str()
    );
    out
}

/// A frame with its place in a stream as the last field: `…,"$hl":[STREAM,OFFSET]}`.
///
/// ```
/// let frame = heartline_protocol::append_place(r#"{"event":"chat1","msg":1}"#, "user:6", 13);
/// assert_eq!(frame, r#"{"event":"chat1","msg":1,"$hl":["user:6",13]}"#);
/// ```
///
/// `frame` is a JSON object with at least one field.
pub fn append_place(frame: &str, stream: &str, offset: u32) -> String {
    let open = frame.trim_end().strip_suffix('}').unwrap_or(frame);
    let mut out = String::with_capacity(open.len() + stream.len() + 24);
    out.push_str(open);
    write_place(&mut out, stream, offset);
    out
}

/// What [`append_place`] puts in the place of a push's last brace: `,"$hl":[STREAM,OFFSET]}`.
pub fn encode_place(stream: &str, offset: u32) -> String {
    let mut out = String::with_capacity(stream.len() + 24);
    write_place(&mut out, stream, offset);
    out
}

fn write_place(out: &mut String, stream: &str, offset: u32) {
    let _ = write!(out, ",\"{HL}\":[");
    json::write_str(out, stream);
    let _ = write!(out, ",{offset}]}}");
}

/// `{"event":"$hl:ack","data":{STREAM:OFFSET,…}}`.
pub fn encode_ack(acks: &[(&str, u32)]) -> String {
    let mut out = format!("{{\"event\":\"{ACK}\",\"data\":{{");
    for (at, (stream, offset)) in acks.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        json::write_str(&mut out, stream);
        let _ = write!(out, ":{offset}");
    }
    out.push_str("}}");
    out
}

/// Reads the data of an acknowledgement.
pub fn decode_ack(data: &RawValue) -> Option<Vec<(Box<str>, u32)>> {
    let of = |(stream, raw): (Box<str>, &RawValue)| Some((stream, raw.get().parse().ok()?));
    by_stream(data)?.into_iter().map(of).collect()
}

/// [`PARK`] and [`SHOW`] as frames: `{"event":NAME}`.
pub fn encode_sign(name: &str) -> String {
    format!("{{\"event\":\"{name}\"}}")
}

/// The place of a push in a stream.
pub(crate) fn place(raw: &RawValue) -> Option<(Cow<'_, str>, u32)> {
    serde_json::from_str(raw.get())
        .ok()
        .filter(|(_, offset)| *offset > 0)
}

/// A message of the server about a stream.
pub(crate) fn decode_notice(text: &str) -> Option<crate::ServerFrame<'_>> {
    let whole = json::parse(text)?;
    let [at, gap] = envelope::fields_of(whole, ["at", "gap"])?;
    if let Some(at) = at {
        let (stream, epoch, offset): (Cow<'_, str>, Cow<'_, str>, u32) =
            serde_json::from_str(at.get()).ok()?;
        let epoch = parse_epoch(&epoch)?;
        return Some(crate::ServerFrame::Attached {
            stream,
            epoch,
            offset,
        });
    }
    type Gap<'a> = (Cow<'a, str>, Cow<'a, str>, u32, u32, Cow<'a, str>);
    let (stream, epoch, from, to, reason): Gap<'_> = serde_json::from_str(gap?.get()).ok()?;
    let epoch = parse_epoch(&epoch)?;
    let reason = [GapReason::Retention, GapReason::Epoch]
        .into_iter()
        .find(|known| known.as_str() == reason)?;
    Some(crate::ServerFrame::Gap {
        stream,
        epoch,
        from,
        to,
        reason,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).expect("JSON")
    }

    #[test]
    fn what_a_device_says_comes_back_from_the_wire() {
        let extension = LoginExtension {
            device: "phone-1".into(),
            positions: vec![(
                "user:6".into(),
                Position {
                    epoch: 0xfe,
                    received: 7,
                    handled: 5,
                },
            )],
        };
        let data = encode_login_extended("user:6", "t", &extension);
        assert_eq!(
            data.get(),
            r#"{"u":"user:6","token":"t","$hl":{"v":1,"device":"phone-1","at":{"user:6":["00000000000000fe",7,5]}}}"#
        );
        assert_eq!(login_extension(&data), Some(Ok(extension)));
        assert_eq!(login_extension(&raw(r#"{"u":"user:6"}"#)), None);
    }

    #[test]
    fn what_is_wrong_with_an_extension_is_named() {
        let error = |text: &str| login_extension(&raw(text)).unwrap().unwrap_err();
        assert_eq!(error(r#"{"$hl":7}"#), ExtensionError::NotAnObject);
        assert_eq!(error(r#"{"$hl":{"device":"a"}}"#), ExtensionError::Version);
        assert_eq!(
            error(r#"{"$hl":{"v":2,"device":"a"}}"#),
            ExtensionError::Version
        );
        for device in ["7", r#""""#, r#""a b""#, r#""心""#] {
            assert_eq!(
                error(&format!(r#"{{"$hl":{{"v":1,"device":{device}}}}}"#)),
                ExtensionError::Device
            );
        }
        for at in [
            "[]",
            r#"{"s":[]}"#,
            r#"{"s":["fe",1,1]}"#,
            r#"{"s":["00000000000000FE",1,1]}"#,
            r#"{"s":["00000000000000fe",-1,1]}"#,
            r#"{"s":["00000000000000fe",4294967296,1]}"#,
        ] {
            let text = format!(r#"{{"$hl":{{"v":1,"device":"a","at":{at}}}}}"#);
            assert_eq!(error(&text), ExtensionError::Positions, "{at}");
        }
    }

    #[test]
    fn acknowledgements_come_back_from_the_wire() {
        let frame = encode_ack(&[("user:6", 13), ("room:a\"b", 2)]);
        let frame = crate::decode_client(frame.as_bytes()).unwrap();
        assert_eq!(frame.event.as_deref(), Some(ACK));
        let acks = decode_ack(frame.data.unwrap()).unwrap();
        assert_eq!(acks, [("room:a\"b".into(), 2), ("user:6".into(), 13)]);
        for bad in ["[]", r#"{"s":"1"}"#, r#"{"s":1.5}"#, r#"{"s":-1}"#] {
            assert_eq!(decode_ack(&raw(bad)), None, "{bad}");
        }
    }
}
