//! Too much of one thing: pings, bytes, fragments. The flood is served or closed with its code; others hardly notice.

use std::io::Write as _;
use std::time::{Duration, Instant};

use heartline_e2e::{Seen, Server, Stage, frame_bytes, frame_head};

use crate::witness::{Before, Witness};

const FLOOD: usize = 300_000;

/// Sends pings as fast as the socket takes them and reads all that comes: `(replies, close code)`.
fn flood(server: &Server) -> (usize, Option<u16>) {
    let mut peer = server.peer();
    let mut writer = peer.stream().try_clone().expect("a second handle");
    let frame = frame_bytes(true, 1, Some([1, 2, 3, 4]), br#"{"event":"ping","uuid":1}"#);
    let sending = std::thread::spawn(move || {
        let burst = frame.repeat(1_000);
        for _ in 0..FLOOD / 1_000 {
            // The server may have had enough: then the reader sees its close.
            if writer.write_all(&burst).is_err() {
                return;
            }
        }
    });
    let mut replies = 0;
    let code = loop {
        match peer.see() {
            Seen::Text(text) => replies += usize::from(text.starts_with(r#"{"type":"respon""#)),
            Seen::Close(code, _) => break Some(code),
            other => panic!("after {replies} replies: {other:?}"),
        }
        if replies == FLOOD {
            break None;
        }
    };
    sending.join().expect("the sender");
    (replies, code)
}

#[test]
fn a_flood_of_pings_is_served_or_closed_and_others_hardly_notice() {
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let quiet = Witness::start(&server);
    std::thread::sleep(Duration::from_secs(1));
    let quiet = quiet.finish().ping_p99();

    let witness = Witness::start(&server);
    let outcomes = std::thread::scope(|scope| {
        let floods: Vec<_> = (0..2).map(|_| scope.spawn(|| flood(&server))).collect();
        floods
            .into_iter()
            .map(|flood| flood.join().expect("a flood"))
            .collect::<Vec<_>>()
    });
    let flooded = witness.finish().ping_p99();
    println!("ping p99 {quiet:?} in quiet, {flooded:?} under floods that ended with {outcomes:?}");
    for (replies, code) in outcomes {
        assert!(
            code == Some(4003) || replies == FLOOD,
            "{replies} replies, close {code:?}"
        );
    }
    // The floods and the witness share two cores with the server, so the ratio is generous; a server that serves a
    // flood before its neighbours would be at seconds.
    let bound = quiet * 50 + Duration::from_millis(100);
    assert!(
        flooded < bound,
        "p99 {flooded:?} beside a flood, {quiet:?} in quiet"
    );
    before.expect_calm(&server, Duration::from_secs(10));
}

#[test]
fn a_frame_of_100_mb_is_refused_from_its_header() {
    const DECLARED: u64 = 100_000_000;
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let resting = server.rss_bytes();
    let mut peak = resting;
    for first_byte in [0x81, 0x82, 0x01] {
        let mut peer = server.peer();
        let start = Instant::now();
        peer.send_raw(frame_head(first_byte, Some([1, 2, 3, 4]), DECLARED));
        peer.expect_close(1009);
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "told from the header, at once"
        );
        // And when the bytes really come, nobody keeps them.
        let mut peer = server.peer();
        peer.stream()
            .set_write_timeout(Some(Duration::from_secs(1)))
            .expect("a write timeout");
        peer.send_raw(frame_head(first_byte, Some([1, 2, 3, 4]), DECLARED));
        let piece = vec![b'x'; 1 << 20];
        for _ in 0..96 {
            if peer.try_send_raw(&piece).is_err() {
                break;
            }
            peak = peak.max(server.rss_bytes());
        }
        peer.expect_close(1009);
    }
    println!(
        "memory {} KiB at rest, {} KiB at most",
        resting >> 10,
        peak >> 10
    );
    assert!(
        peak - resting < 16 << 20,
        "memory grew by {} MiB",
        (peak - resting) >> 20
    );
    witness.finish();
    before.expect_calm(&server, Duration::from_secs(10));
}

#[test]
fn endless_fragments_are_bounded_like_a_message() {
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);

    let mut growing = server.peer();
    growing.send_raw(frame_bytes(false, 1, Some([0; 4]), b" "));
    let piece = frame_bytes(false, 0, Some([0; 4]), &[b' '; 10_000]);
    for _ in 0..2_000 {
        if growing.try_send_raw(&piece).is_err() {
            break;
        }
    }
    growing.expect_close(1009);

    let mut empty = server.peer();
    empty.send_raw(frame_bytes(false, 1, Some([0; 4]), b""));
    let burst = frame_bytes(false, 0, Some([0; 4]), b"").repeat(10_000);
    for _ in 0..20 {
        if empty.try_send_raw(&burst).is_err() {
            break;
        }
    }
    // Two hundred thousand of them are more frames than a connection may send, though they hold nothing.
    empty.expect_close(4003);
    assert!(
        server.rss_bytes() < 64 << 20,
        "{} MiB",
        server.rss_bytes() >> 20
    );
    witness.finish();
    drop((growing, empty));
    before.expect_calm(&server, Duration::from_secs(10));
}

#[test]
fn a_flood_of_control_frames_is_served_or_closed() {
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let mut peer = server.peer();
    let mut writer = peer.stream().try_clone().expect("a second handle");
    let sending = std::thread::spawn(move || {
        let burst = frame_bytes(true, 9, Some([1, 2, 3, 4]), &[0; 125]).repeat(1_000);
        for _ in 0..200 {
            if writer.write_all(&burst).is_err() {
                return;
            }
        }
    });
    let mut pongs = 0;
    while pongs < 200_000 {
        match peer.see() {
            Seen::Pong(_) => pongs += 1,
            Seen::Text(_) => {}
            Seen::Close(4003, _) => break,
            other => panic!("after {pongs} pongs: {other:?}"),
        }
    }
    sending.join().expect("the sender");
    drop(peer);
    witness.finish();
    before.expect_calm(&server, Duration::from_secs(10));
}

#[test]
fn half_sent_messages_of_a_crowd_cost_a_bounded_sum() {
    /// Twice what two shards may hold of incomplete messages (128 MiB each): buffers grow by doubling, and what one
    /// shard's allocator keeps, the other's may have to ask for again.
    const HALVES: u64 = 512 << 20;
    let stage = Stage::alone();
    let server = stage.server(&["--shards", "2"]);
    let before = Before::of(&server);
    let witness = Witness::start(&server);
    let half = [
        frame_head(0x81, Some([0; 4]), 1_000_000),
        vec![b' '; 900_000],
    ]
    .concat();
    // Crowd after crowd: memory that were not given back would pass the bound.
    for round in 0..5 {
        let mut peak = 0;
        let mut crowd: Vec<_> = (0..500)
            .map(|_| {
                let mut peer = server.peer();
                peer.send_raw(&half);
                peak = peak.max(before.growth(&server));
                peer
            })
            .collect();
        println!(
            "round {round}: 500 half-sent messages of 1 MB cost {} MiB at most",
            peak >> 20
        );
        assert!(peak < HALVES, "{} MiB", peak >> 20);
        let mut told = 0;
        for peer in &mut crowd {
            match peer.see_within(Duration::from_millis(1)) {
                Seen::Close(1009, _) => told += 1,
                Seen::Nothing | Seen::Text(_) => {}
                other => panic!("expected close 1009 or a wait, saw {other:?}"),
            }
        }
        assert!(told > 0, "those for whom there is no room are told");
        drop(crowd);
        before.expect_closed(&server, Duration::from_secs(10));
    }
    witness.finish();
}
