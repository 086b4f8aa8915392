//! The durable store: streams of pushes, who has acknowledged how much of them, and what was answered to whom.
//!
//! - `promise` – what a store promises, and the values it is spoken to in
//! - `embedded` – the store, on an embedded engine; `tables` is what it writes, `backend` what lies beneath
//! - `committer` – one thread that writes for all: many writes share one commit
//!
//! In a folder or in memory it is the same engine and the same code; only what lies beneath differs. No clock and no
//! randomness of its own: the caller says what time it is, and gives the numbers of which epochs are made. So a simulation
//! can drive the real thing, on a disk that crashes.

mod backend;
mod committer;
mod embedded;
mod promise;
mod tables;

pub use backend::{CrashDisk, Durability};
pub use committer::{Committer, Overloaded, SubmitError};
pub use embedded::{EmbeddedStore, Options};
pub use promise::{
    Deadline, DeviceState, Entropy, Epoch, Offset, Outcome, Page, PageLimits, Push, PushRecord,
    Retention, Store, StoreError, StreamState, Trimmed, Write, WriteError,
};
