//! HTTP on the one port: pushes, health, and the handshake of WebSockets, whose sockets then leave for a shard.
//! What a push means to devices is the hub's business; who may push is [`crate::auth`]'s.

mod answer;
mod api;
mod body;
mod connection;
mod extension;
mod form;
mod guard;
mod handshake;
mod listen;
mod path;
mod patience;
mod push;
mod refusal;
mod route;
mod stream;

pub use listen::{Listening, bind};
pub use route::Site;
