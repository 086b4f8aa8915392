//! Clients and a server on one fake clock, over a seeded bad network, watched by an oracle.
//!
//! The real thing is in the loop: the client's core, the wire's codec, the server's sessions, subscriptions and store (on memory, or on a
//! disk that crashes). What surrounds it is a model: drivers and apps, threads, sockets, clocks. A run is a function of its seed, so a
//! failure is replayed by its number; `docs/simulation.md` says how.
//!
//! - `plan`, `fault`, `mutant` – what a seed stands for, what goes wrong, known mistakes put in on purpose
//! - `world` – everybody, and the loop; `stage` is what they share
//! - `device`, `guest`, `server`, `publisher`, `network` – who takes part
//! - `oracle` – what must be
//! - `run`, `shrink` – many seeds, and a failing one cut down

mod device;
mod event;
mod fault;
mod guest;
mod mutant;
mod network;
mod oracle;
mod plan;
mod publisher;
mod queue;
mod rng;
mod run;
mod server;
mod shrink;
mod stage;
mod story;
mod tally;
mod world;

pub use fault::{Fault, Faults};
pub use mutant::Mutant;
pub use plan::{Cut, Plan};
pub use run::{Report, catch, play, play_many};
pub use shrink::{Failure, shrink};
pub use tally::Tally;
pub use world::Ending;
