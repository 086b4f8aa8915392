//! The small servers of `bench/peers`: `ws` and `socketify` speak the classic JSON, `socket.io` its own.

use std::process::Command;

use anyhow::Result;

use super::{KEY, Peer, Publisher, Step, Tools, classic_login, filler, step};
use crate::wire;

/// Peers whose own code answers the classic JSON.
pub enum JsonPeer {
    /// npm `ws`.
    Ws,
    /// PyPI `socketify`: uWebSockets under Python.
    Socketify,
}

/// npm `socket.io`, over WebSocket from the start.
pub struct SocketIo;

impl Peer for JsonPeer {
    fn command(&self, tools: &Tools, port: u16) -> Result<Command> {
        let (program, script) = match self {
            Self::Ws => ("node".into(), "node/ws.mjs"),
            Self::Socketify => (tools.python.clone(), "socketify_server.py"),
        };
        let mut command = Command::new(program);
        command
            .arg(tools.peers.join(script))
            .args([&port.to_string(), KEY]);
        Ok(command)
    }

    fn upgrade(&self, _: u32) -> Option<Vec<u8>> {
        Some(wire::upgrade("/", None))
    }

    fn login(&self, _: u32, user: u32) -> Vec<Step> {
        let login = format!(
            r#"{{"event":"login","data":{},"uuid":"a-1"}}"#,
            classic_login(user)
        );
        vec![step(wire::text(&login), 1)]
    }

    fn publisher(&self) -> Publisher {
        Publisher::WebSocket
    }

    fn publish(&self, user: u32, filler_bytes: usize) -> Vec<u8> {
        let data = format!(r#"{{"to":"user:{user}","msg":"{}"}}"#, filler(filler_bytes));
        wire::text(&format!(
            r#"{{"event":"publish","data":{data},"uuid":"a-2"}}"#
        ))
    }

    fn ping(&self) -> Option<Vec<u8>> {
        Some(wire::text(r#"{"event":"ping","data":{},"uuid":"a-3"}"#))
    }
}

impl Peer for SocketIo {
    fn command(&self, tools: &Tools, port: u16) -> Result<Command> {
        let mut command = Command::new("node");
        command
            .arg(tools.peers.join("node/socketio.mjs"))
            .args([&port.to_string(), KEY]);
        Ok(command)
    }

    fn upgrade(&self, _: u32) -> Option<Vec<u8>> {
        Some(wire::upgrade("/socket.io/?EIO=4&transport=websocket", None))
    }

    fn login(&self, _: u32, user: u32) -> Vec<Step> {
        vec![
            step(Vec::new(), 1),
            step(wire::text("40"), 1),
            step(
                wire::text(&format!(r#"420["login",{}]"#, classic_login(user))),
                1,
            ),
        ]
    }

    fn publisher(&self) -> Publisher {
        Publisher::WebSocket
    }

    fn publish(&self, user: u32, filler_bytes: usize) -> Vec<u8> {
        let message = filler(filler_bytes);
        wire::text(&format!(
            r#"42["publish",{{"to":"user:{user}","msg":"{message}"}}]"#
        ))
    }

    fn ping(&self) -> Option<Vec<u8>> {
        Some(wire::text(r#"421["heartbeat"]"#))
    }
}
