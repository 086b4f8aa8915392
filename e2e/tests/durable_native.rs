//! The native client on the shipped server: what is gone for good is named, by age, by count, by bytes, and when the folder is another; and
//! what is there comes once, however often either side is killed.

#[allow(dead_code, reason = "the raw device is another test's")]
mod reliable;

use heartline_client_native::{Backoff, Client, Consumer, Gap, GapReason, MemoryPositions, Push};
use heartline_e2e::{ROLE_KEY_USER, Server, free_port, server_binary};
use reliable::try_push;
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

#[derive(Clone, Debug, PartialEq)]
enum Heard {
    Push(u32),
    Gap(u32, u32, GapReason),
}
use Heard::Push as P;

fn serve(address: SocketAddr, folder: &Path, extra: &[&str]) -> Server {
    let mut command = Command::new(server_binary());
    command
        .args(["serve", "--listen", &address.to_string()])
        .args([
            "--role-key",
            &format!("user={ROLE_KEY_USER}"),
            "--loopback-push",
        ])
        .arg("--store-path")
        .arg(folder)
        .args(extra);
    Server::spawn(command)
}

fn push(address: SocketAddr, n: u32, filler: &str) {
    let body = json!({"to":"user:6","event":"chat1","msg":{"n":n,"filler":filler}});
    let (status, answer) = try_push(address, &body).expect("an answer");
    assert_eq!(status, 200, "{answer}");
}

/// One life of a device: what it hears, until it is dropped.
struct Life {
    client: Client,
    heard: mpsc::UnboundedReceiver<Heard>,
    _consumers: [Consumer; 2],
}

impl Life {
    async fn begin(address: SocketAddr, positions: &MemoryPositions) -> Self {
        let client = Client::builder(&format!("ws://{address}/"))
            .classic_credentials("user:6", ROLE_KEY_USER)
            .expect("a user")
            .durable("phone", positions.clone())
            .backoff(Backoff::Fixed { delay_ms: 100 })
            .build()
            .expect("a client");
        let (told, heard) = mpsc::unbounded_channel();
        let of_gaps = told.clone();
        let pushes = client.consume("*", move |push: Push| {
            let told = told.clone();
            async move {
                let msg: serde_json::Value = push.parse_msg()?;
                let n = msg["n"].as_u64().ok_or("no number")?;
                Ok(told.send(P(n as u32))?)
            }
        });
        let gaps = client.consume_gaps(move |gap: Gap| {
            let told = of_gaps.clone();
            async move { Ok(told.send(Heard::Gap(gap.from, gap.to, gap.reason))?) }
        });
        let _consumers = [pushes.expect("a consumer"), gaps];
        client.start();
        timeout(Duration::from_secs(20), client.ready())
            .await
            .expect("in time")
            .expect("logged in");
        Self {
            client,
            heard,
            _consumers,
        }
    }

    async fn hears(&mut self, wanted: &[Heard]) {
        for wanted in wanted {
            let heard = timeout(Duration::from_secs(20), self.heard.recv()).await;
            assert_eq!(heard.expect("in time").as_ref(), Some(wanted));
        }
    }

    async fn end(self) {
        self.client.close().await;
    }
}

fn address() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], free_port()))
}

/// A device is away while more is pushed than these limits keep.
async fn loses_by(limits: &[&str], filler: &str, wait: Duration) -> Vec<Heard> {
    let (folder, address) = (tempfile::tempdir().expect("a folder"), address());
    let _server = serve(address, folder.path(), limits);
    let positions = MemoryPositions::default();
    let mut life = Life::begin(address, &positions).await;
    push(address, 1, "");
    life.hears(&[P(1)]).await;
    life.end().await;
    for n in 2..=20 {
        push(address, n, filler);
    }
    tokio::time::sleep(wait).await;
    push(address, 21, "");
    let mut life = Life::begin(address, &positions).await;
    let mut heard = Vec::new();
    while heard.last() != Some(&P(21)) {
        let next = timeout(Duration::from_secs(20), life.heard.recv()).await;
        heard.extend(next.expect("in time"));
    }
    life.end().await;
    heard
}

/// The gap comes first, and what it does not name follows without a hole.
fn is_whole(heard: &[Heard]) {
    let Some(Heard::Gap(2, to, GapReason::Retention)) = heard.first() else {
        panic!("no gap: {heard:?}");
    };
    let rest: Vec<_> = (to + 1..=21).map(P).collect();
    assert_eq!(heard[1..], rest, "{heard:?}");
}

#[tokio::test]
async fn retention_by_count_is_a_named_gap() {
    let heard = loses_by(&["--store-max-messages", "5"], "", Duration::ZERO).await;
    is_whole(&heard);
    assert_eq!(heard.len(), 1 + 5);
}

#[tokio::test]
async fn retention_by_bytes_is_a_named_gap() {
    let filler = "x".repeat(1_000);
    is_whole(&loses_by(&["--store-max-bytes", "5000"], &filler, Duration::ZERO).await);
}

#[tokio::test]
async fn retention_by_age_is_a_named_gap() {
    is_whole(&loses_by(&["--store-max-age-ms", "1500"], "", Duration::from_secs(8)).await);
}

#[tokio::test]
async fn another_folder_is_a_gap_of_an_epoch_and_a_kill_is_none() {
    let (folder, address) = (tempfile::tempdir().expect("a folder"), address());
    let mut server = serve(address, folder.path(), &[]);
    let mut life = Life::begin(address, &MemoryPositions::default()).await;
    push(address, 1, "");
    life.hears(&[P(1)]).await;
    for n in 2..=5 {
        server.kill_hard();
        server = serve(address, folder.path(), &[]);
        push(address, n, "");
        life.hears(&[P(n)]).await;
    }
    server.kill_hard();
    std::fs::remove_dir_all(folder.path()).expect("the folder is deleted");
    let _server = serve(address, folder.path(), &[]);
    push(address, 6, "");
    life.hears(&[Heard::Gap(1, 0, GapReason::Epoch), P(6)])
        .await;
    life.end().await;
}
