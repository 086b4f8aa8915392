//! The durable store: streams of pushes, who has acknowledged how much of them, and what was answered to whom.
//!
//! - `promise` – what a store promises, and the values it is spoken to in
//! - `embedded` – the store, on an embedded engine
//! - `tables` – what it writes, in `rows`; `tables/trim` is what time asks for
//! - `engine` – the door to the engine; `opening` opens it (in a `folder`), `troubles` says what its errors mean
//! - `backend`, `crash_disk` – what lies beneath it
//! - `committer` – one thread that writes for all: many writes share one commit
//!
//! In a folder or in memory it is the same engine and the same code; only what lies beneath differs. No clock and no
//! randomness of its own: the caller says what time it is, and gives the numbers of which epochs are made. So a simulation
//! can drive the real thing, on a disk that crashes.

mod backend;
mod committer;
mod crash_disk;
mod embedded;
mod engine;
mod folder;
mod memory;
mod opening;
mod promise;
mod room;
mod rows;
mod tables;
mod troubles;

pub use backend::Durability;
pub use committer::{Committer, Overloaded, SubmitError};
pub use crash_disk::CrashDisk;
pub use embedded::EmbeddedStore;
pub use opening::Options;
pub use promise::{
    Deadline, DeviceState, Entropy, Epoch, Offset, Outcome, Page, PageLimits, Push, PushRecord,
    Receipts, Retention, Store, StoreError, StreamState, Trimmed, Write, WriteError,
};
