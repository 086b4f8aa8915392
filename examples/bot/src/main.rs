//! A bot that answers in a chat: it logs in as a user of its own, hears every `chat*` push that is sent to it, and
//! answers through the HTTP push, as a backend would.
//!
//! `answer` decides what is said, and to whom; `http_push` says it. This file is the loop between them.

mod answer;
mod http_push;

use anyhow::{Context, Result, bail};
use clap::Parser;
use heartline_client_native::{Client, CloseReason, News};

use http_push::HttpPush;

/// A bot that answers in a chat.
#[derive(Parser)]
struct Options {
    /// The server: ws://… or wss://….
    #[arg(long, default_value = "ws://127.0.0.1:8080/")]
    url: String,
    /// Who the bot is: ROLE:ID.
    #[arg(long, default_value = "user:100")]
    user: String,
    /// The bot's token, as `heartline-server token` prints it.
    #[arg(
        long,
        env = "HEARTLINE_TOKEN",
        conflicts_with = "key",
        required_unless_present = "key"
    )]
    token: Option<String>,
    /// The key of the bot's role, instead of a token.
    #[arg(long, env = "HEARTLINE_KEY")]
    key: Option<String>,
    /// Where to push the answers. By default the server's own port.
    #[arg(long)]
    push_url: Option<String>,
    /// The server's push key, if it has one. From the server's own machine none is needed.
    #[arg(long, env = "HEARTLINE_PUSH_KEY")]
    push_key: Option<String>,
    /// The name under which the bot speaks.
    #[arg(long, default_value = "小助手")]
    name: String,
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::parse();
    let push_url = match options.push_url {
        Some(url) => url,
        None => options.url.replacen("ws", "http", 1),
    };
    let backend = HttpPush::new(&push_url, options.push_key)?;
    let builder = Client::builder(&options.url);
    let builder = match (options.token, options.key) {
        (Some(token), _) => builder.credentials(&options.user, token),
        (None, Some(key)) => builder.classic_credentials(&options.user, &key)?,
        (None, None) => bail!("give --token or --key"),
    };
    let bot = builder.build()?;
    let mut chats = bot.on("chat*")?;
    tokio::spawn(report(bot.news()));
    bot.start();

    loop {
        let push = tokio::select! {
            push = chats.recv() => push,
            reason = ended(&bot) => bail!("the server does not want this bot: {reason:?}"),
            _ = tokio::signal::ctrl_c() => break,
        };
        match push {
            Some(Ok(push)) => {
                let Some(answer) = answer::answer(&push, &options.user, &options.name) else {
                    continue;
                };
                println!("{}: {} -> {}", push.event(), answer.heard, answer.to);
                // One answer that cannot be delivered must not end the bot.
                if let Err(error) = backend
                    .send(&answer)
                    .await
                    .context("the answer was not pushed")
                {
                    eprintln!("{error:#}");
                }
            }
            Some(Err(lagged)) => eprintln!("{lagged}"),
            None => break,
        }
    }
    bot.close().await;
    Ok(())
}

/// Tells on standard output how the line fares.
async fn report(mut news: tokio::sync::broadcast::Receiver<News>) {
    while let Ok(news) = news.recv().await {
        match news {
            News::LoggedIn { .. } => println!("logged in"),
            News::LoginRefused { data } => eprintln!("the login was refused: {data}"),
            News::Disconnected { reason, detail } => {
                eprintln!("the line ended: {reason:?} {}", detail.unwrap_or_default())
            }
            _ => {}
        }
    }
}

/// Waits for the end that no reconnect follows.
async fn ended(bot: &Client) -> CloseReason {
    let mut states = bot.states();
    loop {
        if let heartline_client_native::Phase::Closed { reason } = *states.borrow_and_update() {
            return reason;
        }
        if states.changed().await.is_err() {
            return CloseReason::Asked;
        }
    }
}
