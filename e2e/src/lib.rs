//! The black-box bench: starts the shipped server and speaks to it in raw bytes, as the outside world does.
//!
//! Nothing here uses the server's or the protocol's code: what the tests expect comes from the written protocol,
//! and the framing, the HTTP sender and the token are written a second time, so that a mistake cannot hide twice.

mod binary;
mod eventually;
mod http;
mod process;
mod proxy;
mod redis_server;
mod reverse_proxy;
mod rng;
mod server;
mod stage;
mod token;
mod ws;

pub use binary::server_binary;
pub use eventually::eventually;
pub use http::{HttpConnection, Response, form_body, multipart_body};
pub use process::{allow_many_files, open_files, rss_bytes, signal, wait_exit};
pub use proxy::CuttableProxy;
pub use redis_server::RedisServer;
pub use reverse_proxy::ReverseProxy;
pub use rng::Rng;
pub use server::{Server, free_port};
pub use stage::Stage;
pub use token::{ROLE_KEY_USER, ROLE_KEY_XXX, md5_hex, token_for};
pub use ws::{Opcode, Peer, Seen, frame_bytes, frame_head};
