//! Links that die without a word, and peers that take without reading.

use std::time::{Duration, Instant};

use heartline_e2e::{CuttableProxy, Peer, Seen, Stage, eventually, open_files};

use crate::witness::{Before, Witness};

#[test]
fn half_open_links_are_noticed_and_given_up() {
    let stage = Stage::alone();
    let server = stage.server(&["--ping-interval-ms", "300", "--idle-timeout-ms", "1000"]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let proxy = CuttableProxy::start(server.address());
    let lost: Vec<_> = (0..200)
        .map(|id| {
            let mut peer = Peer::connect(proxy.address());
            peer.login(&format!("user:{id}"));
            peer
        })
        .collect();
    proxy.fall_silent();
    assert!(
        open_files(server.pid()) >= 200,
        "the links are still open on the server's side"
    );
    // Pushes to the lost devices are accepted and delay nobody; then the idle close gives them up.
    for id in 0..200 {
        server.push_chat(&format!("user:{id}"), "into the void");
    }
    before.expect_calm(&server, Duration::from_secs(20));
    witness.finish();
    drop(lost);
}

#[test]
fn a_peer_that_asks_and_never_reads_costs_a_bounded_queue() {
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let mut peer = server.peer();
    peer.stream()
        .set_write_timeout(Some(Duration::from_millis(500)))
        .expect("a write timeout");
    // Small questions with long ids: each reply is as long as its question. 64 MB, should the server take them all.
    let id = "i".repeat(10_000);
    let mut asked = 0;
    let mut peak = 0;
    for number in 0..6_400 {
        let text = format!(r#"{{"event":"ping","uuid":"{number}-{id}"}}"#);
        if peer
            .try_send_raw(heartline_e2e::frame_bytes(
                true,
                1,
                Some([1, 2, 3, 4]),
                text.as_bytes(),
            ))
            .is_err()
        {
            break;
        }
        asked += 1;
        if number % 100 == 0 {
            peak = peak.max(server.rss_bytes());
        }
    }
    println!("asked {asked} times; peak memory {} MiB", peak >> 20);
    assert!(peak < 64 << 20, "{} MiB for one peer", peak >> 20);
    // Read at last: the replies are in order, up to all of them or to the reason for the close.
    let mut answered = 0;
    loop {
        match peer.see_within(Duration::from_secs(5)) {
            Seen::Text(text) if text.starts_with(r#"{"type":"ping"#) => {}
            Seen::Text(text) => {
                let start = format!(r#"{{"type":"respon","event":"{answered}-i"#);
                assert!(
                    text.starts_with(&start),
                    "reply {answered} is missing: {}",
                    &text[..60]
                );
                answered += 1;
            }
            Seen::Close(code, _) => {
                assert!(matches!(code, 4002 | 4003), "close {code}");
                break;
            }
            Seen::Nothing if answered >= asked => break,
            other => panic!("after {answered} of {asked} replies: {other:?}"),
        }
    }
    witness.finish();
    drop(peer);
    before.expect_calm(&server, Duration::from_secs(10));
}

#[test]
fn a_hundred_frozen_devices_cost_a_bounded_queue_each() {
    const DEVICES: usize = 100;
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let mut frozen: Vec<_> = (0..DEVICES)
        .map(|_| {
            let peer = server.device("user:6");
            // A small window, so that the kernel holds little of what is not read.
            socket2::SockRef::from(peer.stream())
                .set_recv_buffer_size(64 << 10)
                .expect("a small buffer");
            peer
        })
        .collect();
    let msg = "x".repeat(100_000);
    let start = Instant::now();
    let mut peak = 0;
    for _ in 0..120 {
        server.push_chat("user:6", &msg);
        peak = peak.max(server.rss_bytes());
    }
    println!(
        "120 pushes to {DEVICES} frozen devices took {:?}; peak {} MiB",
        start.elapsed(),
        peak >> 20
    );
    // One frame is shared by all: even full queues cost little; 1 MiB each would be the bound.
    assert!(
        peak < 200 << 20,
        "{} MiB for {DEVICES} frozen devices",
        peak >> 20
    );
    for peer in frozen.iter_mut().take(10) {
        loop {
            match peer.see() {
                Seen::Text(_) => {}
                Seen::Close(4002, _) => break,
                other => panic!("expected close 4002, saw {other:?}"),
            }
        }
    }
    frozen.clear();
    witness.finish();
    before.expect_calm(&server, Duration::from_secs(20));
    eventually("pushes go on", Duration::from_secs(5), true, || {
        let mut device = server.device("user:6");
        server.push_chat("user:6", "on");
        device.push_msg() == "on"
    });
}
