//! Who is connected where, and how a push finds its devices. The hub knows users and connection references;
//! it never sees a socket or a frame's meaning, and no call of it waits for a device.

mod door;
mod registry;
mod routing;

pub use door::{Door, Permit, Refusal};
pub use registry::{ConnectionRef, Generations, Registry, TooManyOfUser};
pub use routing::{Hub, Overloaded, Place};
