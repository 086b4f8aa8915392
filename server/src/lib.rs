//! The Heartline server: one live line to every device of a logged-in user.
//!
//! The library is the whole server; the binary is a thin door to [`cli::run`]. [`Server::start`] serves a [`Config`] in
//! this process, which is also how the tests run it. `ARCHITECTURE.md` tells which room holds what:
//!
//! - `app` wires: port, shards, hub, presence. Nothing else knows all of them.
//! - `http` accepts every connection, answers pushes and health, and shakes hands with WebSockets.
//! - `net` holds the live connections: shards, framing, bounded queues. [`session`] is one conversation, pure.
//! - `hub` knows who is where and keeps pushes in order. [`presence`] tells the outside.
//! - [`auth`], [`config`], [`cli`], [`logs`] – as they say; [`metrics`] counts what happened at each bound.

mod app;
pub mod auth;
pub mod cli;
pub mod config;
pub mod delivery;
mod http;
pub mod hub;
pub mod logs;
pub mod metrics;
mod net;
pub mod presence;
pub mod session;
pub mod store;
pub mod tls;

pub use app::{Server, StartError};
pub use config::Config;
