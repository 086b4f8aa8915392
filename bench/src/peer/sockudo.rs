//! `sockudo`, a Pusher-compatible server in Rust: one public channel per user, published by its signed HTTP API.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{Peer, Publisher, Step, Tools, filler, step};
use crate::wire;

/// From crates.io, with its local adapter.
pub struct Sockudo;

impl Peer for Sockudo {
    fn command(&self, tools: &Tools, port: u16) -> Result<Command> {
        let mut command = Command::new(&tools.sockudo);
        command
            .env("SOCKUDO_DEFAULT_APP_ID", "bench-app")
            .env("SOCKUDO_DEFAULT_APP_KEY", "bench-key")
            .env("SOCKUDO_DEFAULT_APP_SECRET", SECRET)
            .env("SOCKUDO_DEFAULT_APP_MAX_CONNECTIONS", "1000000")
            .env(
                "SOCKUDO_DEFAULT_APP_MAX_BACKEND_EVENTS_PER_SECOND",
                "100000000",
            )
            .env(
                "SOCKUDO_DEFAULT_APP_MAX_CLIENT_EVENTS_PER_SECOND",
                "100000000",
            )
            .env("RATE_LIMITER_ENABLED", "false")
            .env("METRICS_ENABLED", "false")
            // Nobody here answers its pings: it would end who was idle while others were measured.
            .env("WEBSOCKET_AUTO_PING", "false")
            .env("WEBSOCKET_IDLE_TIMEOUT", "36000")
            .env("ACTIVITY_TIMEOUT", "36000")
            .env("HOST", "127.0.0.1")
            .env("PORT", port.to_string())
            .env("RUST_LOG", "error")
            .current_dir(&tools.scratch);
        Ok(command)
    }

    fn upgrade(&self, _: u32) -> Option<Vec<u8>> {
        Some(wire::upgrade(
            "/app/bench-key?protocol=7&client=bench&version=1",
            None,
        ))
    }

    fn login(&self, _: u32, user: u32) -> Vec<Step> {
        let subscribe = format!(r#"{{"event":"pusher:subscribe","data":{{"channel":"u{user}"}}}}"#);
        vec![step(Vec::new(), 1), step(wire::text(&subscribe), 1)]
    }

    fn publisher(&self) -> Publisher {
        // It answers every request with `Connection: close`.
        Publisher::HttpEach
    }

    fn publish(&self, user: u32, filler_bytes: usize) -> Vec<u8> {
        let data = filler(filler_bytes);
        let body = format!(r#"{{"name":"chat1","channels":["u{user}"],"data":"{data}"}}"#);
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        // An MD5 in hex is what the classic token is made of, too.
        let digest = heartline_protocol::classic_token(&body, "");
        let query =
            format!("auth_key=bench-key&auth_timestamp={now}&auth_version=1.0&body_md5={digest}");
        let signature = signed(&format!("POST\n/apps/bench-app/events\n{query}"));
        format!(
            "POST /apps/bench-app/events?{query}&auth_signature={signature} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    fn ping(&self) -> Option<Vec<u8>> {
        Some(wire::text(r#"{"event":"pusher:ping","data":{}}"#))
    }
}

fn signed(text: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()) else {
        return String::new();
    };
    mac.update(text.as_bytes());
    mac.finalize()
        .into_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

const SECRET: &str = "bench-secret";
