//! RFC 6455 framing for the server's side, sans-IO: bytes in, messages out; messages in, bytes out.
//! No sockets, no clock, no JSON. A [`Decoder`] between two frames holds one null pointer and nothing else.

mod decoder;
mod deflate;
mod encode;
mod header;
mod message;
mod pieces;

pub use decoder::Decoder;
pub use deflate::{Deflated, Deflater, Inflater};
pub use encode::{append, close, text, to_bytes};
pub use header::Opcode;
pub use message::Message;
pub use pieces::{Frame, Piece};
