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
//!
//! # The phases
//!
//! ```text
//!            Start with an identity                        dial timed out, failed, closed
//!   ┌──────┐ ───────────────────────▶ ┌────────────┐ ────────────────────────────┐
//!   │ Idle │                          │ Connecting │ ◀───────────────┐           │
//!   └──────┘ ◀─ Identity absent ──┐   └─────┬──────┘                 │           ▼
//!              (from anywhere)    │         │ opened        delay over,     ┌─────────┐
//!                                 │         ▼               app shown,      │ Waiting │
//!   ┌────────┐                    │     ┌──────┐            network back    └─────────┘
//!   │ Closed │ ◀─ Stop, terminal ─┤     │ Open │ ◀────┐           │            │    ▲
//!   └────────┘    close code      │     └──┬───┘      │ refused,  │   app      │    │
//!     │           (from anywhere) │        │ login    │ timed out │  hidden    ▼    │
//!     │ Start, new Identity       │        ▼          │           │        ┌────────┐
//!     ▼                           │   ┌───────────┐ ──┘           └─────── │ Parked │
//!   as Idle                       │   │ LoggingIn │ ◀─┐          app shown └────────┘
//!                                 │   └────┬──────┘   │ new identity,           ▲    │
//!                                 │        │ ok       │ session forgotten       │    │
//!                                 │        ▼          │             hidden      │    │ line
//!                                 │    ┌───────┐ ─────┘             and lost    │    │ lost
//!                                 └─── │ Ready │ ───────────────────────────────┴────┘
//!                                      └───────┘   (from every phase with a socket)
//! ```

mod backoff;
mod client;
mod clock;
mod config;
mod input;
mod outbox;
mod output;
mod phase;
mod pool;
mod rng;
mod router;
mod time;
mod timers;

pub use client::{Client, Sizes};
pub use config::{Backoff, Config};
pub use input::{ApiMisuse, Incoming, Input, ListenMode, RequestOptions, SendOutcome, Unsent};
pub use output::{ClientEvent, CloseReason, DropReason, NotSent, Outgoing, Output, RequestError};
pub use phase::{Phase, WaitReason};
pub use router::MAX_EVENT_NAME_BYTES;
pub use time::{Epoch, EventId, ListenerId, Millis, PayloadRef, RequestId};
