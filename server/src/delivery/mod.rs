//! Durable delivery: pushes are stored, then sent, and every device that names itself gets what it missed.
//!
//! - `cursor`, `attach` – pure: where a connection stands on a stream, and where it begins
//! - `desk` – what the rest of the server asks: store a push, attach a device, read a page, take an acknowledgement
//! - `reader` – the threads that look into the store, so that no shard ever waits for a disk
//! - `receipts` – who waits to hear that a device has acknowledged
//! - `upkeep` – time: retention, deadlines of pushes that nobody acknowledged, and the hook that hears of them
//!
//! The order of things is what makes it lossless. A connection is registered at the hub first, then the store is asked where the
//! stream ends; a push is in the store first, then it is handed to the hub. So whatever is not in the page comes live,
//! and [`Cursor`] sees to it that what is in both comes once.

mod attach;
mod cursor;
mod desk;
mod reader;
mod receipts;
mod upkeep;

pub use attach::{Start, start};
pub use cursor::{Cursor, Foreign, Live, Missing, PageFacts, WINDOW_BYTES, WINDOW_MESSAGES};
pub use desk::{Delivery, Draft, PushError, Pushed, StartError};
pub use reader::{Answer, Ask, Ready, Subject};
pub use receipts::Waiting;
pub use upkeep::{Hooks, NoHooks, Undelivered};
