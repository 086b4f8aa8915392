//! The Heartline client behind a WebAssembly boundary that only numbers cross.
//!
//! JavaScript owns the socket, the clock and the payloads; this crate owns the decisions. An input costs
//! one call in ([`feed`]) and a few calls out (`emit`), all of them numbers, because a string costs a
//! hundred times as much where there is no `TextEncoder`, and because the same calls stay cheap
//! when the module was turned into JavaScript for an engine without WebAssembly. A push costs one call in ([`push`])
//! and one out for each listener, and not even that while the core was told nothing else since the last one of its event.
//!
//! - The numbers are those of [`heartline_client_core::boundary`]; [`feed`] takes them in, `emit` gives them out.
//! - `registry` keeps the clients of this module. With the feature `alarm` the module has a timer of its own, with
//!   `report` it answers the questions of people; the npm package has both in JavaScript and leaves them out, for
//!   together they are a third of the download.
//!
//! A panic is a trap: the driver drops the whole module, tells the app, and starts a fresh one.

#[cfg(feature = "alarm")]
mod alarm;
mod emit;
mod feed;
#[cfg(target_arch = "wasm32")]
mod heap;
mod names;
mod options;
mod registry;
#[cfg(feature = "report")]
mod report;

#[cfg(feature = "alarm")]
pub use alarm::alarm;
pub use feed::{feed, next_request, push};
pub use names::{deliver_turn, intern, listen, named_push, text};
pub use options::option;
pub use registry::{create, discard};
#[cfg(feature = "report")]
pub use report::{diagnostics, snapshot};
