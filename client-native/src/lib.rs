//! The Heartline client on tokio: for bots, load and tests. Many clients in one process are cheap.
//!
//! A bot that answers in a chat:
//!
//! ```no_run
//! use heartline_client_native::Client;
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let bot = Client::builder("ws://127.0.0.1:2345")
//!         .classic_credentials("user:6", "the key of the role")?
//!         .connect()?;
//!     // `connect` returns at once. A request before the login is answered `NotSent(NotReady)`, unless it may wait: `.queue()`.
//!     bot.ready().await?;
//!
//!     let mut chats = bot.on("chat*")?;
//!     while let Some(push) = chats.recv().await {
//!         match push {
//!             Ok(push) => {
//!                 println!("{}: {:?}", push.event(), push.msg());
//!                 match bot.request("ping", &()).await {
//!                     Ok(reply) => println!("the server says {}", reply.data()),
//!                     Err(error) => eprintln!("{error}"),
//!                 }
//!             }
//!             Err(lagged) => eprintln!("{lagged}"),
//!         }
//!     }
//!     bot.close().await;
//!     Ok(())
//! }
//! ```
//!
//! The client itself is [`heartline_client_core`]: a value that decides. This crate is its driver: it owns the
//! sockets, one timer and the payloads, and carries the decisions out.
//!
//! - [`builder`](Builder): where to connect, as whom, with which numbers
//! - [`Client`]: the handle; clone it freely. The line ends when the last clone goes, or with [`Client::close`]
//! - [`Request`]: ask the server; every request settles exactly once, see [`RequestError`] for its fates
//! - [`Pushes`]: a stream of pushes, with a bound
//! - [`Client::consume`]: a handler whose word counts; with [`Builder::durable`] nothing is lost between two lives of the process
//! - [`Client::states`], [`Client::news`]: what the line does
//!
//! A client dials only while it has credentials: a client without an identity is idle ([`Client::set_identity`]).

mod builder;
mod client;
mod connect;
mod consume;
mod credentials;
mod dial;
mod driver;
mod news;
mod payloads;
mod positions;
mod pushes;
mod request;
mod socket;
mod wire_id;

pub use builder::{BuildError, Builder};
pub use client::{Client, ListenError};
pub use consume::{Consumer, Gap, GiveUp, HandlerError};
pub use credentials::{Credentials, CredentialsError, CredentialsProvider};
pub use heartline_client_core::{
    Backoff, CloseReason, Config, DropReason, GapReason, NotSent, Phase, WaitReason,
};
pub use news::News;
pub use positions::{FilePositions, MemoryPositions, PositionStore, StoredPosition};
pub use pushes::{Lagged, Push, Pushes};
pub use request::{PendingReply, Reply, Request, RequestError};
