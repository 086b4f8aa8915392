//! The Heartline client as a value: input and time go in, decisions come out, nothing calls back.
//!
//! There is no socket, clock, randomness, runtime or JavaScript here, and no payload either: a driver
//! keeps the payloads and hands this crate numbers for them ([`PayloadRef`]). That is what makes the same
//! machine cheap behind a WebAssembly boundary, and replayable.
//!
//! A driver does three things, in any interleaving it likes:
//!
//! 1. [`Client::handle`] with an [`Input`] and the present time;
//! 2. [`Client::poll_output`] until it answers `None`, carrying out each [`Output`] in order;
//! 3. arm one timer for [`Client::poll_timeout`], and feed [`Input::Timeout`] when it rings.

mod client;
mod config;
mod input;
mod output;
mod phase;
mod time;

pub use client::Client;
pub use config::{Backoff, Config};
pub use input::{ApiMisuse, Incoming, Input, ListenMode, RequestOptions, Unsent, SendOutcome};
pub use output::{ClientEvent, CloseReason, DropReason, NotSent, Outgoing, Output, RequestError};
pub use phase::{Phase, WaitReason};
pub use time::{Epoch, EventId, ListenerId, Millis, PayloadRef, RequestId};
