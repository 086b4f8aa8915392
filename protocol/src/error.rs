//! What can be wrong with the peer's bytes. The caller's own mistakes are not here.

use std::fmt;

/// A frame that is no message at all. It is counted and ignored; it never harms the connection's other traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DecodeError {
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The text is not JSON.
    NotJson,
    /// The text is JSON, but not an object.
    NotAnObject,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotUtf8 => "the frame is not UTF-8",
            Self::NotJson => "the frame is not JSON",
            Self::NotAnObject => "the frame is not a JSON object",
        })
    }
}

impl std::error::Error for DecodeError {}

/// Why a push was not accepted. Each is answered with a 4xx and this sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PushError {
    /// A name or a value is not UTF-8. Names the field, as far as it can be read.
    NotUtf8 {
        /// The field.
        field: String,
    },
    /// The body says that it is JSON and is not.
    NotJson,
    /// The JSON body is not an object.
    NotAnObject,
    /// A field that every push needs is absent.
    Missing {
        /// `event`, `msg` or `to`.
        field: &'static str,
    },
    /// A field has a shape that it may not have, such as `msg[a]=1`.
    Shape {
        /// `event`, `msg` or `to`.
        field: &'static str,
        /// What it must be.
        wanted: &'static str,
    },
    /// A field that only the server may send.
    Reserved {
        /// `$hl`.
        field: &'static str,
    },
    /// `type` is not `app`: other types are the protocol's own words, and no client would hand them to its listeners.
    ReservedType,
    /// A field that says what and to whom stands there twice: one of the two would be lost.
    Repeated {
        /// `event`, `msg`, `to` or `type`; in the JSON API any field.
        field: String,
    },
    /// A text has half of a surrogate pair, and so is no Unicode.
    LoneSurrogate {
        /// The field.
        field: String,
    },
    /// A number that no 64-bit float holds, such as `1e999`.
    NumberTooLarge {
        /// The field.
        field: String,
    },
    /// `to` names no user.
    NoRecipient,
    /// More fields than [`crate::Limits::push_fields`].
    TooManyFields {
        /// The bound.
        limit: usize,
    },
    /// More recipients than [`crate::Limits::push_recipients`].
    TooManyRecipients {
        /// The bound.
        limit: usize,
    },
    /// A name such as `a[b][c]…`, a JSON body or a `msg` in JSON nests deeper than allowed.
    TooDeep {
        /// The bound.
        limit: usize,
    },
    /// The event's name is longer than [`crate::Limits::event_bytes`].
    EventTooLong {
        /// The bound.
        limit: usize,
    },
}

impl PushError {
    /// The HTTP status: 413 where a bound was passed, else 400.
    pub fn status(&self) -> u16 {
        match self {
            Self::TooManyFields { .. } | Self::TooManyRecipients { .. } => 413,
            _ => 400,
        }
    }
}

impl fmt::Display for PushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 { field } => write!(f, "field `{field}` is not UTF-8"),
            Self::NotJson => f.write_str("the body is not JSON"),
            Self::NotAnObject => f.write_str("the body is not a JSON object"),
            Self::Missing { field } => write!(f, "field `{field}` is missing"),
            Self::Shape { field, wanted } => write!(f, "field `{field}` must be {wanted}"),
            Self::Reserved { field } => {
                write!(f, "field `{field}` is the server's own: leave it out")
            }
            Self::ReservedType => f.write_str(
                "field `type` must be \"app\", or be left out: every other type is the protocol's own, and no listener gets it",
            ),
            Self::Repeated { field } => {
                write!(f, "field `{field}` is there more than once: send it once")?;
                match field.as_str() {
                    "to" => f.write_str(" (several recipients: to=user:1,user:2 or to[]=user:1&to[]=user:2)"),
                    _ => Ok(()),
                }
            }
            Self::LoneSurrogate { field } => write!(
                f,
                "field `{field}` has half of a surrogate pair (\\ud800 to \\udfff), which is no Unicode text: escape whole characters"
            ),
            Self::NumberTooLarge { field } => write!(
                f,
                "field `{field}` has a number beyond what a 64-bit float holds (1.8e308): send it as a text"
            ),
            Self::NoRecipient => f.write_str("field `to` names no user: a user is written ROLE:ID, such as user:6"),
            Self::TooManyFields { limit } => {
                write!(f, "more than {limit} fields, entries of lists counted one by one: send fewer")
            }
            Self::TooManyRecipients { limit } => {
                write!(f, "field `to` has more than {limit} recipients: split the push, or raise limits.max_recipients")
            }
            Self::TooDeep { limit } => {
                write!(f, "nested deeper than {limit} levels: send what is deeper as a text")
            }
            Self::EventTooLong { limit } => write!(f, "field `event` is over {limit} bytes"),
        }
    }
}

impl std::error::Error for PushError {}
