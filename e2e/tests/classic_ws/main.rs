//! The classic WebSocket line, row by row and fix by fix (docs/protocol.md, §1), against the running server.

mod envelope;
mod framing;
mod idle;
mod login;
mod users;
