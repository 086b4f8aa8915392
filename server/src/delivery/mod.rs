//! Durable delivery: pushes are stored, then sent, and every device that names itself gets what it missed.
//!
//! - `cursor`, `attach`, `subscription` – pure: where a connection stands on a stream, where it begins, and what it asks of the store
//! - `look` – what the store says to that; `acks` – what devices have acknowledged, until it is written
//! - `desk` – what the rest of the server asks: store a push, attach a device, read a page, take an acknowledgement
//! - `reader` – the threads that look into the store, so that no shard ever waits for a disk
//! - `registration` – how a new device is registered, and what becomes of its login where it cannot be
//! - `receipts` – who waits to hear that a device has acknowledged
//! - `clock` – what time it is, whatever the system's clock says for some seconds
//! - `upkeep` – time: retention, deadlines of pushes that nobody acknowledged, and the hook that hears of them
//!
//! The order of things is what makes it lossless. A connection is registered at the hub first, then the store is asked where the
//! stream ends; a push is in the store first, then it is handed to the hub. So whatever is not in the page comes live,
//! and [`Cursor`] sees to it that what is in both comes once.

mod acks;
mod attach;
mod clock;
mod cursor;
mod desk;
mod look;
mod questions;
mod reader;
mod receipts;
mod registration;
mod subscription;
mod upkeep;

pub use acks::{Acked, Acks};
pub use attach::{Start, start};
pub use cursor::{Cursor, Foreign, Live, Missing, PageFacts, WINDOW_BYTES, WINDOW_MESSAGES};
pub use desk::{Delivery, Draft, PushError, Pushed, StartError};
pub use look::{look_up, read_page, tell_start};
pub use reader::{Answer, Ready, Subject};
pub use receipts::{Awaited, Crowded, Waiting};
pub use registration::look_up_unregistered;
pub use subscription::{Ask, DeferredAnswer, Subscription};
pub use upkeep::{Hooks, NoHooks, Undelivered};
