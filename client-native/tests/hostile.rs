//! A server that means harm: what it makes the client keep stays bounded.
#![cfg(target_os = "linux")] // The measure is the system's own account of this process.

mod scripted;

use heartline_client_native::{CloseReason, News};
use scripted::{Server, soon};

/// 40 MiB of pings are answered with as many bytes of pongs.
const PINGS: usize = 40 * 1024 * 1024;
/// The client's write buffer, and what the allocator and the runtime take; far below `PINGS` less the kernel's socket buffers.
const GROWTH_KIB: u64 = 16 * 1024;

#[tokio::test]
async fn pongs_do_not_pile_up_for_a_server_that_never_reads() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");

    let mut ping = vec![0x89, 125];
    ping.resize(127, b'p');
    let pings = ping.repeat(1000);
    let before = resident_kib();
    let flood = async {
        for _ in 0..PINGS / pings.len() {
            // An error is the client's end of the line, which bounds as well.
            if peer.send_bytes(&pings).await.is_err() {
                return;
            }
        }
    };
    soon("the client to read every ping", flood).await;
    let growth = resident_kib().saturating_sub(before);
    assert!(growth < GROWTH_KIB, "{growth} KiB more than before");
}

/// The resident memory of this process.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux has /proc");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number
        .and_then(|kib| kib.parse().ok())
        .expect("VmRSS in KiB")
}

/// Each question of the protocol is answered by a message of ours, and those wait in a queue that has a bound.
#[tokio::test]
async fn a_server_that_asks_and_reads_no_answer_is_left_at_a_bound() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut news = client.news();
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");

    let question = format!(r#"{{"type":"ping","uuid":"{}"}}"#, "u".repeat(80));
    let mut frame = vec![0x81, u8::try_from(question.len()).expect("a short frame")];
    frame.extend_from_slice(question.as_bytes());
    let questions = frame.repeat(400);
    let flood = async move { while peer.send_bytes(&questions).await.is_ok() {} };
    let ended = async {
        loop {
            if let News::Disconnected { reason, detail } = news.recv().await.expect("news") {
                return (reason, detail);
            }
        }
    };
    let both = async { tokio::join!(flood, ended).1 };
    let (reason, detail) = soon("the client ends the line", both).await;
    assert_eq!(reason, CloseReason::Error);
    let detail = detail.expect("a reason");
    assert!(detail.contains("the server reads nothing"), "{detail}");
}
