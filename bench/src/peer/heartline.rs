//! Our own server: the classic protocol, pushes over HTTP as a backend sends them.

use std::process::Command;

use anyhow::Result;

use super::{KEY, Peer, Publisher, Step, Tools, classic_login, filler, step};
use crate::wire;

/// The binary as shipped, with bounds that let one address hold all the load, and pings out of the way.
#[derive(Default)]
pub struct Heartline {
    /// 0: one per core, as by default.
    pub shards: u8,
    /// It is the build that the other is compared with.
    pub is_before: bool,
}

impl Peer for Heartline {
    fn command(&self, tools: &Tools, port: u16) -> Result<Command> {
        let binary = match &tools.before {
            Some(before) if self.is_before => before,
            _ => &tools.server,
        };
        let mut command = Command::new(binary);
        // A variable, not the flag: the build that is compared with may be older than the flag.
        command
            .env("HEARTLINE_PUSH_ALLOW_LOOPBACK", "true")
            .args([
                "serve",
                "--memory",
                "--listen",
                &format!("127.0.0.1:{port}"),
            ])
            .args([
                "--role-key",
                &format!("user={KEY}"),
                "--shards",
                &self.shards.to_string(),
            ])
            .args([
                "--max-connections-per-address",
                "0",
                "--max-connections-per-user",
                "100000",
            ])
            .args([
                "--ping-interval-ms",
                "3600000",
                "--idle-timeout-ms",
                "36000000",
            ])
            .args([
                "--frames-per-second",
                "1000000",
                "--frame-burst",
                "1000000",
                "--log",
                "warn",
            ]);
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
        Publisher::Http
    }

    fn publish(&self, user: u32, filler_bytes: usize) -> Vec<u8> {
        let body = format!(
            "to=user%3A{user}&type=app&event=chat1&msg={}",
            filler(filler_bytes)
        );
        format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    fn ping(&self) -> Option<Vec<u8>> {
        Some(wire::text(r#"{"event":"ping","data":{},"uuid":"a-2"}"#))
    }
}
