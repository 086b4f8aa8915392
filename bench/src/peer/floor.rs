//! The bare send loop of this program, as a process of its own.

use std::process::Command;

use anyhow::Result;

use super::{Peer, Publisher, Step, Tools};

/// See [`crate::floor`].
pub struct Floor;

impl Peer for Floor {
    fn command(&self, _: &Tools, port: u16) -> Result<Command> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["floor", "--port", &port.to_string()]);
        Ok(command)
    }

    fn upgrade(&self, _: u32) -> Option<Vec<u8>> {
        None
    }

    fn login(&self, _: u32, _: u32) -> Vec<Step> {
        Vec::new()
    }

    fn publisher(&self) -> Publisher {
        Publisher::Control
    }

    fn publish(&self, _: u32, _: usize) -> Vec<u8> {
        vec![1]
    }

    fn ping(&self) -> Option<Vec<u8>> {
        None
    }
}
