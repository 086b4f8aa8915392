//! `mosquitto`, the MQTT broker, over WebSocket: one topic per user, QoS 0.

use std::process::Command;

use anyhow::Result;

use super::{Peer, Publisher, Step, Tools, filler, step};
use crate::wire::{self, BINARY};

/// Debian's.
pub struct Mosquitto;

impl Peer for Mosquitto {
    fn command(&self, tools: &Tools, port: u16) -> Result<Command> {
        let file = tools.scratch.join(format!("mosquitto-{port}.conf"));
        // Debian's 2.0.11 refuses to run with nothing but a WebSocket listener.
        let settings = format!(
            "listener {} 127.0.0.1\nlistener {port} 127.0.0.1\nprotocol websockets\nallow_anonymous true\n\
             persistence false\nlog_type error\n",
            port + 1
        );
        std::fs::write(&file, settings)?;
        let mut command = Command::new("mosquitto");
        command.arg("-c").arg(file);
        Ok(command)
    }

    fn upgrade(&self, _: u32) -> Option<Vec<u8>> {
        Some(wire::upgrade("/mqtt", Some("mqtt")))
    }

    fn login(&self, connection: u32, user: u32) -> Vec<Step> {
        // Two of one name would end each other, so the name holds both.
        let mut connect = vec![0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 0];
        connect.extend(text(&format!("c{connection}-{user}")));
        let mut subscribe = vec![0, 1];
        subscribe.extend(text(&format!("user/{user}")));
        subscribe.push(0);
        vec![
            step(packet(0x10, &connect), 1),
            step(packet(0x82, &subscribe), 1),
        ]
    }

    fn publisher(&self) -> Publisher {
        Publisher::WebSocket
    }

    fn publish(&self, user: u32, filler_bytes: usize) -> Vec<u8> {
        let mut body = text(&format!("user/{user}"));
        body.extend(filler(filler_bytes).into_bytes());
        packet(0x30, &body)
    }

    fn ping(&self) -> Option<Vec<u8>> {
        Some(packet(0xc0, &[]))
    }
}

fn text(text: &str) -> Vec<u8> {
    let mut out = (text.len() as u16).to_be_bytes().to_vec();
    out.extend(text.as_bytes());
    out
}

/// An MQTT packet in a WebSocket frame.
fn packet(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    let mut left = body.len();
    loop {
        let low = (left % 128) as u8;
        left /= 128;
        out.push(if left > 0 { low | 0x80 } else { low });
        if left == 0 {
            break;
        }
    }
    out.extend(body);
    wire::masked(BINARY, &out)
}
