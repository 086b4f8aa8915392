//! A durable listener: prints each push of a user, one line of JSON each, and keeps its positions in a file. Kill it at any time and
//! start it again: what came meanwhile is printed then, in order, and only the line that was being printed may come twice.

use std::io::Write as _;

use anyhow::{Result, bail};
use clap::Parser;
use heartline_client_native::{Backoff, Client, FilePositions, Gap, News, Push};

/// Prints each push of a user, and loses none between two lives.
#[derive(Parser)]
struct Options {
    /// The server: ws://… or wss://….
    #[arg(long, default_value = "ws://127.0.0.1:8080/")]
    url: String,
    /// Whose pushes: ROLE:ID.
    #[arg(long)]
    user: String,
    /// The key of the user's role.
    #[arg(long, env = "HEARTLINE_KEY")]
    key: String,
    /// The name of this device: 1 to 64 of A-Z a-z 0-9 . _ -
    #[arg(long, default_value = "listener")]
    device: String,
    /// Where its positions are kept.
    #[arg(long, default_value = "positions.json")]
    positions: String,
    /// Which events: a name, or the beginning of names and a `*`.
    #[arg(long, default_value = "*")]
    events: String,
    /// The longest delay between attempts to connect, in milliseconds.
    #[arg(long, default_value_t = 20_000)]
    max_delay_ms: u32,
    /// How often to ask whether the line is alive, in milliseconds.
    #[arg(long, default_value_t = 25_000)]
    heartbeat_ms: u32,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let client = Client::builder(&options.url)
        .classic_credentials(&options.user, &options.key)?
        .durable(options.device, FilePositions::new(options.positions))
        .backoff(Backoff::Jitter {
            min_ms: 100,
            max_ms: options.max_delay_ms,
        })
        .configure(|config| {
            config.heartbeat_interval_ms = options.heartbeat_ms;
            config.heartbeat_grace_ms = config.heartbeat_grace_ms.min(options.heartbeat_ms);
        })
        .build()?;
    let _pushes = client.consume(&options.events, |push: Push| async move {
        let mut out = std::io::stdout().lock();
        // A reader that has gone is an error: the push is not handled, and comes again in the next life.
        writeln!(out, "{}", push.whole().get())?;
        out.flush()?;
        Ok(())
    })?;
    let _gaps = client.consume_gaps(|gap: Gap| async move {
        eprintln!("{gap:?}");
        Ok(())
    });
    let mut news = client.news();
    client.start();
    loop {
        tokio::select! {
            happened = news.recv() => {
                if let Ok(News::LoginRefused { data }) = happened {
                    bail!("the login was refused: {}", data.get());
                }
            }
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    client.close().await;
    Ok(())
}
