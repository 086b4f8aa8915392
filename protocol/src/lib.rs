//! The wire of Heartline, and nothing else: messages, decode, encode, limits, close codes, the classic token.
//!
//! Payloads and ids keep their exact spelling: the envelope is parsed, what it carries is not.
//! There is no clock, randomness, runtime or socket here: bytes in, values out, and back.
//!
//! ```
//! use heartline_protocol::{decode_client, encode_respon};
//!
//! let frame = decode_client(br#"{"event":"ping","uuid":1.10}"#)?;
//! assert_eq!(frame.event.as_deref(), Some("ping"));
//! assert_eq!(
//!     encode_respon(frame.uuid, 0, "ok"),
//!     r#"{"type":"respon","event":1.10,"data":{"error":0,"body":"ok"}}"#,
//! );
//! # Ok::<(), heartline_protocol::DecodeError>(())
//! ```

mod client_frame;
mod close;
mod durable;
mod envelope;
mod error;
mod json;
mod limits;
mod login;
mod pattern;
mod push;
mod server_frame;
mod token;
mod user;

pub use client_frame::{ClientFrame, decode_client, encode_request, encode_response};
pub use close::CloseCode;
pub use durable::{
    ACK, ExtensionError, GapReason, HL, LoginExtension, MAX_DEVICE_BYTES, MAX_STREAMS, PARK,
    Position, SHOW, VERSION, append_place, decode_ack, encode_ack, encode_attached, encode_gap,
    encode_login_accepted, encode_login_extended, encode_place, encode_sign, is_device,
    login_extension, parse_epoch, spoken_version,
};
pub use error::{DecodeError, PushError};
pub use limits::Limits;
pub use login::{Login, LoginError, encode_login_data};
pub use pattern::{EventPatterns, pattern_matches};
pub use push::{JsonBody, PushForm, Recipients, decode_push_json, recipients};
pub use server_frame::{ServerFrame, decode_server, encode_ping, encode_respon, encode_respon_raw};
pub use token::{classic_token, verify_classic_token};
pub use user::{User, UserError};
