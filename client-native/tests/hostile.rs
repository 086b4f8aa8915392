//! A server that means harm: what it makes the client keep stays bounded.
#![cfg(target_os = "linux")] // The measure is the system's own account of this process.

mod scripted;

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
