//! What the server's tests share: a real Redis, the real binary, a WebSocket of thirty lines, and patience.
#![allow(dead_code, reason = "each test binary uses its part")]

pub mod binary;
pub mod redis;
pub mod stage;
pub mod websocket;

use std::time::{Duration, Instant};

/// Waits until `holds` does, and fails with `what` and the last thing seen after `within`.
#[track_caller]
pub fn eventually<T: std::fmt::Debug>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> T,
    holds: impl Fn(&T) -> bool,
) {
    let deadline = Instant::now() + within;
    loop {
        let seen = look();
        if holds(&seen) {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "{what}: not within {within:?}; last seen {seen:?}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A port that is free now.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a free port")
        .port()
}
