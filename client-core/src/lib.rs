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
//! A push, the most frequent input, has a quick way of its own beside these: [`Client::push`].
//!
//! ```
//! use heartline_client_core::*;
//!
//! let mut client = Client::new(Config::default(), 42, Millis(0));
//! client.handle(Millis(0), Input::Start)?;
//! client.handle(Millis(0), Input::Identity { present: true })?;
//! assert_eq!(client.poll_output(), Some(Output::Open { epoch: Epoch(1) }));
//! // … the driver dials, and tells what came of it:
//! client.handle(Millis(80), Input::Opened { epoch: Epoch(1) })?;
//! while let Some(output) = client.poll_output() {
//!     if let Output::Credentials { id, .. } = output {
//!         // … the driver asks the app, and keeps the credentials for `Outgoing::Login { id }`:
//!         client.handle(Millis(95), Input::Credentials { id, ready: true })?;
//!     }
//! }
//! assert_eq!(client.phase(), Phase::LoggingIn);
//! assert_eq!(client.next_timeout_reason(), Some("login"));
//! # Ok::<(), ApiMisuse>(())
//! ```
//!
//! # What a driver may rely on
//!
//! - Every request that `handle` accepted is settled exactly once; after `Destroy` all are.
//! - Every [`PayloadRef`] of an accepted input is answered by that very input's outputs, exactly once, by `Settle`,
//!   `LoggedIn`, `LoginRefused`, `Pong` or `Release`. If `handle` answers `Err`, nothing was taken.
//!   A stored push alone is kept: it is released once it was handled, or when this client no longer waits for its turn.
//! - Of each stream one message at a time has its turn, in the order of offsets and none twice, but for redelivery after a
//!   failure. `Persist` comes before the `Ack` that speaks of it, and neither before `Handled`.
//! - `Send` and `Credentials` speak of the latest epoch, and only while its socket is open. Before the next
//!   `Open`, the former socket died or was ordered closed. A socket that reported an error is ordered closed too.
//! - The phase changes only with an `Event(Phase(…))`, and each line's end is told by one `Disconnected`.
//! - Any input may come at any time, from any epoch, late, twice, or never: nothing panics, nothing wedges.
//! - A wall clock will do: steps back are no time at all, steps forward look like a sleep, after which the line
//!   is probed before it is trusted.
//!
//! These are the assertions of `tests/any_order`.
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
pub mod boundary;
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
mod streams;
mod time;
mod timers;

pub use client::{Client, Sizes};
pub use config::{Backoff, Config};
pub use heartline_protocol::GapReason;
pub use input::{ApiMisuse, Incoming, Input, ListenMode, RequestOptions, SendOutcome, Unsent};
pub use output::{
    ClientEvent, CloseReason, DropReason, NotSent, Outgoing, Output, Position, RequestError,
};
pub use phase::{Phase, WaitReason};
pub use router::MAX_EVENT_NAME_BYTES;
pub use streams::MAX_STREAMS;
pub use time::{
    Epoch, EpochTag, EventId, ListenerId, Millis, PayloadRef, RequestId, StreamId, Ticks,
};
