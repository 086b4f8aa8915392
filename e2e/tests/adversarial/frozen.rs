//! A server that stood still (SIGSTOP, as a snapshot of its machine does) for longer than its deadlines: nobody pays for
//! that who was not silent.

use std::time::Duration;

use heartline_e2e::{Peer, Seen, Stage, signal, token_for};

const PAUSE: Duration = Duration::from_secs(3);
const PING: &str = r#"{"event":"ping","uuid":"after"}"#;

/// Reads until the answer to [`PING`]; anything but texts before it is a failure.
fn expect_answer(peer: &mut Peer, who: &str) {
    loop {
        match peer.see() {
            Seen::Text(text) if text.contains(r#""event":"after""#) => return,
            Seen::Text(_) => {}
            other => panic!("{who}: {other:?}"),
        }
    }
}

#[test]
fn found_a_server_that_stood_still_closes_nobody_for_its_own_silence() {
    let stage = Stage::alone();
    let server = stage.server(&[
        "--ping-interval-ms",
        "500",
        "--idle-timeout-ms",
        "2000",
        "--login-deadline-ms",
        "2000",
        "--shards",
        "1",
    ]);
    // More than the shard takes from its poll in one turn (256), so that some are late to be read.
    let mut busy: Vec<Peer> = (0..300).map(|_| server.peer()).collect();
    let mut quiet: Vec<Peer> = (0..20).map(|_| server.device("user:2")).collect();
    for peer in &mut busy {
        peer.send(PING);
        expect_answer(peer, "before");
    }
    signal(server.pid(), "STOP");
    std::thread::sleep(PAUSE);
    // What comes while it stands still waits in the sockets: a login, and signs of life.
    for peer in &mut busy {
        let token = token_for("user:1");
        peer.send(&format!(
            r#"{{"event":"login","data":{{"u":"user:1","token":"{token}"}},"uuid":1}}"#
        ));
        peer.send(PING);
    }
    signal(server.pid(), "CONT");
    for (at, peer) in busy.iter_mut().enumerate() {
        expect_answer(peer, &format!("peer {at}, whose login waited"));
    }
    // These had nothing to say: nobody asked them.
    for (at, peer) in quiet.iter_mut().enumerate() {
        peer.send(PING);
        expect_answer(peer, &format!("peer {at}, who was not pinged"));
    }
}
