//! What one idle, logged-in client costs in memory.
//!
//! `cargo run --release -p heartline-client-native --example idle_clients -- 1000`
//!
//! The server of the measurement is this same program, started again as a process of its own, so that its memory is
//! not counted. Prints the resident memory per client (from `/proc`, so Linux only) and the number of tasks.

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use futures::{SinkExt, StreamExt};
use heartline_client_native::Client;
use heartline_protocol::{decode_client, encode_respon};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

/// Two sockets per client and process must stay under the usual limit of open files.
const MOST: usize = 10_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    match std::env::args().nth(1).as_deref() {
        Some("serve") => serve().await,
        count => measure(count.unwrap_or("1000").parse::<usize>()?.min(MOST)).await,
    }
}

async fn measure(count: usize) -> Result<(), Box<dyn std::error::Error>> {
    let mut server = tokio::process::Command::from(Command::new(std::env::current_exe()?))
        .arg("serve")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let mut line = String::new();
    BufReader::new(server.stdout.take().ok_or("no pipe")?)
        .read_line(&mut line)
        .await?;
    let url = line.trim();

    // The first client brings what all of them share.
    let first = Client::builder(url).credentials("user:0", "t").connect()?;
    first
        .ready()
        .await
        .map_err(|reason| format!("{reason:?}"))?;
    let before = resident_kib()?;
    let begun = Instant::now();
    let clients = (0..count)
        .map(|n| {
            Client::builder(url)
                .credentials(format!("user:{n}"), "t")
                .connect()
        })
        .collect::<Result<Vec<_>, _>>()?;
    for client in &clients {
        client
            .ready()
            .await
            .map_err(|reason| format!("{reason:?}"))?;
    }
    let took = begun.elapsed();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let after = resident_kib()?;
    let tasks: usize = clients.iter().map(Client::tasks).sum();
    println!("clients             {count}");
    println!("all logged in after {took:.2?}");
    println!(
        "resident per client {:.1} KiB",
        (after - before) / count as f64
    );
    println!("tasks per client    {:.1}", tasks as f64 / count as f64);
    futures::future::join_all(clients.iter().map(Client::close)).await;
    Ok(())
}

/// Grants every request, and reads until the end.
async fn serve() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("ws://{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tokio::spawn(async move {
            let Ok(mut socket) = tokio_tungstenite::accept_async(tcp).await else {
                return;
            };
            while let Some(Ok(message)) = socket.next().await {
                let Message::Text(text) = message else {
                    continue;
                };
                let Ok(frame) = decode_client(text.as_bytes()) else {
                    continue;
                };
                let reply = encode_respon(frame.uuid, 0, "ok");
                if socket.send(Message::text(reply)).await.is_err() {
                    return;
                }
            }
        });
    }
}

fn resident_kib() -> Result<f64, Box<dyn std::error::Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .ok_or("no VmRSS")?;
    Ok(line.split_whitespace().nth(1).ok_or("no number")?.parse()?)
}
