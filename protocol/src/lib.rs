//! The wire of Heartline, and nothing else: messages, decode, encode, limits, close codes, the classic token.
//!
//! Payloads and ids keep their exact spelling: the envelope is parsed, what it carries is not.

mod client_frame;
mod close;
mod error;
mod limits;
mod push;
mod server_frame;
mod token;
mod user;

pub use client_frame::{ClientFrame, decode_client, encode_request, encode_response};
pub use close::CloseCode;
pub use error::{DecodeError, PushError};
pub use limits::Limits;
pub use push::{PushForm, decode_push_json, recipients};
pub use server_frame::{ServerFrame, decode_server, encode_ping, encode_respon};
pub use token::{classic_token, verify_classic_token};
pub use user::{User, UserError};
