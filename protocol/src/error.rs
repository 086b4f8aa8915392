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
    /// A name such as `a[b][c]…` or a JSON value nests deeper than allowed.
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
            Self::Reserved { field } => write!(f, "field `{field}` is reserved"),
            Self::NoRecipient => f.write_str("field `to` names no user (ROLE:ID)"),
            Self::TooManyFields { limit } => write!(f, "more than {limit} fields"),
            Self::TooManyRecipients { limit } => write!(f, "more than {limit} recipients"),
            Self::TooDeep { limit } => write!(f, "nested deeper than {limit} levels"),
            Self::EventTooLong { limit } => write!(f, "field `event` is over {limit} bytes"),
        }
    }
}

impl std::error::Error for PushError {}
