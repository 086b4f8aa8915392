//! Server pings and the idle close. Intervals are short here; their lengths are the operator's to choose.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use heartline_e2e::{Peer, Seen, Server, Stage};

const INTERVAL: Duration = Duration::from_millis(200);
const IDLE: Duration = Duration::from_millis(900);

fn server(stage: &Stage) -> Server {
    stage.server(&["--ping-interval-ms", "200", "--idle-timeout-ms", "900"])
}

/// The number of the next server ping, and its spelling on the wire.
fn next_server_ping(peer: &mut Peer) -> u64 {
    loop {
        match peer.see() {
            Seen::Text(text) => {
                if let Some(rest) = text.strip_prefix(r#"{"type":"ping","uuid":"#) {
                    let digits = rest.strip_suffix('}').expect("a ping has two fields");
                    return digits
                        .parse()
                        .unwrap_or_else(|_| panic!("the ping's uuid is no whole number: {text}"));
                }
            }
            other => panic!("expected a server ping, saw {other:?}"),
        }
    }
}

#[test]
fn every_connection_is_pinged_with_a_different_truthy_number_each_time() {
    let stage = Stage::shared();
    let server = server(&stage);
    let mut seen = HashSet::new();
    for logged_in in [true, false] {
        let mut peer = if logged_in {
            server.device("user:6")
        } else {
            server.peer()
        };
        for _ in 0..6 {
            let number = next_server_ping(&mut peer);
            assert_ne!(number, 0, "0 is not truthy in JavaScript");
            assert!(
                number < 1 << 53,
                "a JavaScript number holds {number} inexactly"
            );
            assert!(
                seen.insert((peer.stream().local_addr().expect("an address"), number)),
                "{number} came twice"
            );
            peer.send(&format!(r#"{{"event":"response","uuid":{number}}}"#));
        }
    }
}

#[test]
fn server_pings_keep_their_interval_while_frames_arrive_all_the_time() {
    let stage = Stage::alone();
    let server = server(&stage);
    let mut peer = server.device("user:6");
    next_server_ping(&mut peer);
    let start = Instant::now();
    let mut pings = 0;
    let mut ticks = 0_u64;
    while start.elapsed() < INTERVAL * 10 {
        peer.send(r#"{"event":"response","uuid":1}"#);
        ticks += 1;
        while let Seen::Text(text) = peer.see_within(Duration::from_millis(5)) {
            pings += u32::from(text.starts_with(r#"{"type":"ping","#));
        }
    }
    assert!(ticks > 50, "the test kept talking");
    assert!((7..=12).contains(&pings), "{pings} pings in ten intervals");
}

#[test]
fn a_silent_connection_is_closed_with_4000_in_time_logged_in_or_not() {
    let stage = Stage::alone();
    let server = server(&stage);
    for logged_in in [true, false] {
        let mut peer = if logged_in {
            server.device("user:6")
        } else {
            server.peer()
        };
        let silent_since = Instant::now();
        peer.expect_close_within(4000, Duration::from_secs(10));
        let after = silent_since.elapsed();
        assert_eq!(
            peer.see(),
            Seen::End,
            "the connection ends after its close frame"
        );
        // A little early for the clock's grain; a little late for a busy machine.
        assert!(
            after >= IDLE - Duration::from_millis(20),
            "closed too early, after {after:?}"
        );
        assert!(
            after <= IDLE + INTERVAL + Duration::from_millis(600),
            "closed too late, after {after:?}"
        );
    }
}

#[test]
fn answering_the_server_ping_is_enough_to_stay() {
    let stage = Stage::shared();
    let server = server(&stage);
    let mut peer = server.device("user:6");
    let start = Instant::now();
    while start.elapsed() < IDLE * 3 {
        let number = next_server_ping(&mut peer);
        peer.send(&format!(r#"{{"event":"response","uuid":{number}}}"#));
    }
    assert!(peer.ping(), "still logged in");
    server.push_chat("user:6", "still yours");
    assert_eq!(peer.push_msg(), "still yours");
}

#[test]
fn client_pings_and_control_frames_keep_a_line_alive_too() {
    let stage = Stage::shared();
    let server = server(&stage);
    let mut with_pings = server.device("user:6");
    let mut with_control = server.device("user:6");
    let start = Instant::now();
    while start.elapsed() < IDLE * 2 {
        assert!(with_pings.ping());
        with_control.send_frame(true, heartline_e2e::Opcode::Ping, b"");
        std::thread::sleep(INTERVAL);
    }
    assert!(with_pings.ping());
    loop {
        match with_control.see() {
            Seen::Pong(_) | Seen::Text(_) => {
                if start.elapsed() > IDLE * 2 {
                    break;
                }
            }
            other => panic!("expected pongs, saw {other:?}"),
        }
    }
    server.push_chat("user:6", "yours");
    assert_eq!(with_pings.push_msg(), "yours");
}

#[test]
fn an_idle_user_is_gone_for_pushes_after_the_close() {
    let stage = Stage::shared();
    let server = server(&stage);
    let mut idle = server.device("user:6");
    idle.expect_close(4000);
    server.push_chat("user:6", "nobody hears, and it is still ok");
    let mut back = server.device("user:6");
    server.push_chat("user:6", "heard");
    assert_eq!(back.push_msg(), "heard");
}

/// One malformed frame killed a worker of the original, and steady traffic stopped its pings.
#[test]
fn garbage_stops_neither_pings_nor_the_line() {
    let stage = Stage::shared();
    let server = server(&stage);
    let mut peer = server.device("user:6");
    for _ in 0..5 {
        for text in ["{", "[]", "\u{1}", r#"{"event":{"a":1},"uuid":1"#] {
            peer.send(text);
        }
        next_server_ping(&mut peer);
    }
    assert!(peer.ping());
}
