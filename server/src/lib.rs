//! The Heartline server: one live line to every device of a logged-in user. Library half; the binary is thin.

pub mod auth;
pub mod config;
pub mod presence;
