//! Live connections: shards (a thread, an `mio::Poll` and a slab of connections each), the framing, the bounded
//! outbound queues. No HTTP, no JSON beyond handing frames to [`crate::session`], no knowledge of users beyond the hub.

mod clock;
mod compression;
mod connection;
mod connection_log;
mod conversation;
mod fanout;
pub mod frame;
mod mailbox;
mod outbound;
mod processors;
mod reliable;
mod secure;
mod shard;
mod sweep;

pub use compression::Compression;
pub(crate) use connection_log::log_suppressed;
pub use conversation::Manner;
pub use mailbox::{Backlog, Command, Delivery, Inspect, Mailbox, Newcomer, Seen, SharedBytes};
pub use processors::Processors;
pub use shard::{Shard, WAKER, World};
