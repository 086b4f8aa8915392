//! A WebSocket echo on the server's own connection path (handshake, framing, shards, outbound queues), for conformance
//! suites such as Autobahn's: `cargo xtask autobahn` starts it. It says its address on standard output.

use std::io::Write as _;
use std::net::SocketAddr;

use heartline_server::{Config, Server};

/// The largest message of the suites, 16 MiB.
const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;
/// No deadline of ours comes into a case.
const NEVER_MS: u64 = 24 * 60 * 60 * 1_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listen: SocketAddr = match std::env::args().nth(1) {
        Some(address) => address.parse()?,
        None => SocketAddr::from(([127, 0, 0, 1], 0)),
    };
    let mut config = Config {
        listen,
        ..Config::default()
    };
    config.timing.ping_interval_ms = NEVER_MS;
    config.timing.idle_timeout_ms = NEVER_MS;
    config.timing.login_deadline_ms = NEVER_MS;
    config.limits.max_message_bytes = MAX_MESSAGE_BYTES;
    config.limits.frames_per_second = 1_000_000;
    config.limits.frame_burst = 1_000_000;
    config.deflate_min_bytes = 1;
    let server = Server::start_echo(config).await?;
    println!("ws://{}", server.local_addr());
    std::io::stdout().flush()?;
    // The starter ends us by closing our standard input, even when it was killed itself.
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    server.shutdown().await;
    Ok(())
}
