//! The classic HTTP push, row by row and fix by fix (docs/protocol.md, §2), against the running server.

mod auth;
mod events;
mod frames;
mod http;
mod order;
mod recipients;
mod refusals;
