//! The bot, as its users run it, and a real server: somebody says something, the bot answers, the server falls and
//! rises, the bot answers again.

use std::process::Stdio;
use std::time::Duration;

use heartline_client_native::{Backoff, Client, Push, Pushes};
use heartline_server::config::Secret;
use heartline_server::{Config, Server};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStdout, Command};

const KEY: &str = "the key of the users";
const LIMIT: Duration = Duration::from_secs(30);

async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(LIMIT, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {LIMIT:?} in vain: {what}"),
    }
}

async fn serve(port: u16) -> Server {
    let mut config = Config::default();
    config.listen.set_port(port);
    config.roles.insert("user".into(), Secret::new(KEY));
    config.push.allow_loopback = true;
    config.timing.drain_window_ms = 100;
    Server::start(config).await.expect("a server")
}

/// The bot, and its standard output.
fn start_bot(port: u16) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut bot = Command::new(env!("CARGO_BIN_EXE_heartline-bot"))
        .args([
            "--url",
            &format!("ws://127.0.0.1:{port}/"),
            "--user",
            "user:100",
            "--key",
            KEY,
        ])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("the bot");
    let output = BufReader::new(bot.stdout.take().expect("piped")).lines();
    (bot, output)
}

async fn logged_in(output: &mut Lines<BufReader<ChildStdout>>) {
    let login = async {
        while let Some(line) = output.next_line().await.expect("its output") {
            if line == "logged in" {
                return;
            }
        }
        panic!("the bot ended");
    };
    soon("the bot's login", login).await;
}

/// Pushes as curl would.
async fn say(port: u16, to: &str, msg: &str) -> String {
    let form = format!("event=chat1&type=app&to={to}&msg={msg}");
    let head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
                Content-Type: application/x-www-form-urlencoded\r\n";
    let request = format!("{head}Content-Length: {}\r\n\r\n{form}", form.len());
    let mut socket = TcpStream::connect(("127.0.0.1", port))
        .await
        .expect("the server");
    socket.write_all(request.as_bytes()).await.expect("written");
    let mut reply = String::new();
    soon("the push's answer", socket.read_to_string(&mut reply))
        .await
        .expect("an answer");
    reply.rsplit("\r\n").next().unwrap_or_default().to_owned()
}

async fn next(chats: &mut Pushes) -> (Push, Value) {
    let push = soon("a push", chats.recv())
        .await
        .expect("open")
        .expect("no gap");
    let msg = push.parse_msg().expect("a message");
    (push, msg)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bot_answers_before_and_after_a_restart_of_the_server() {
    let server = serve(0).await;
    let port = server.local_addr().port();
    let user = Client::builder(&format!("ws://127.0.0.1:{port}/"))
        .classic_credentials("user:6", KEY)
        .expect("a user")
        .backoff(Backoff::Fixed { delay_ms: 100 })
        .connect()
        .expect("a client");
    let mut chats = user.on("chat*").expect("a subscription");
    soon("the login", user.ready()).await.expect("ready");
    let (mut bot, mut output) = start_bot(port);
    logged_in(&mut output).await;

    assert_eq!(
        say(
            port,
            "user:6,online:user:100",
            r#"{"from":"user:6","text":"1%2B1"}"#
        )
        .await,
        "ok"
    );
    let (_, question) = next(&mut chats).await;
    assert_eq!(question["text"], "1+1");
    let (push, answer) = next(&mut chats).await;
    assert_eq!(push.event(), "chat1");
    assert_eq!(
        answer,
        json!({"from": "小助手", "text": "收到：1+1", "bot": true})
    );
    assert_eq!(push.field("to").map(|to| to.get()), Some("\"user:6\""));

    server.shutdown().await;
    let server = serve(port).await;
    logged_in(&mut output).await;
    soon("the login", user.ready()).await.expect("ready");
    assert_eq!(say(port, "user:6,user:100", "plain").await, "ok");
    let (_, question) = next(&mut chats).await;
    assert_eq!(question, "plain");
    let (_, answer) = next(&mut chats).await;
    assert_eq!(answer["text"], "收到：plain");

    // What a bot said, and what is for the bot alone, is not answered: the next thing heard is the next question.
    assert_eq!(
        say(port, "user:6,user:100", r#"{"text":"x","bot":true}"#).await,
        "ok"
    );
    assert_eq!(say(port, "user:100", "alone").await, "ok");
    assert_eq!(say(port, "user:6", "last").await, "ok");
    assert_eq!(next(&mut chats).await.1["text"], "x");
    assert_eq!(next(&mut chats).await.1, "last");

    bot.kill().await.expect("killed");
    user.close().await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_bot_without_a_secret_says_what_it_needs() {
    let run = Command::new(env!("CARGO_BIN_EXE_heartline-bot"))
        .env_clear()
        .output();
    let output = soon("the bot", run).await.expect("the bot");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("--token"));
}
