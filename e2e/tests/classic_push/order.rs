//! Pushes accepted one after another reach each device in that order; a device that stops reading delays nobody
//! and is told why it is closed.

use std::time::{Duration, Instant};

use heartline_e2e::{Seen, Stage, form_body};

fn body(msg: &str) -> String {
    form_body(&[
        ("event", "chat1"),
        ("msg", msg),
        ("to", "user:1,user:2"),
        ("type", "app"),
    ])
}

#[test]
fn two_thousand_pushes_arrive_in_the_order_of_their_answers() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut devices = [
        server.device("user:1"),
        server.device("user:1"),
        server.device("user:2"),
    ];
    let mut one = server.http();
    let mut other = server.http();
    for number in 0..2_000 {
        // Two keep-alive connections in turn: each push is sent after the one before was answered.
        let connection = if number % 3 == 0 {
            &mut one
        } else {
            &mut other
        };
        assert_eq!(
            connection.post_form(&body(&number.to_string())).text(),
            "ok"
        );
    }
    for device in &mut devices {
        for number in 0..2_000 {
            assert_eq!(device.push_msg(), number);
        }
        device.expect_silence(Duration::from_millis(10));
    }
}

#[test]
fn pushes_on_connections_of_their_own_arrive_in_order_too() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    for number in 0..300 {
        assert_eq!(
            server.http().post_form(&body(&number.to_string())).text(),
            "ok"
        );
    }
    for number in 0..300 {
        assert_eq!(device.push_msg(), number);
    }
}

#[test]
fn a_device_that_stops_reading_delays_nobody_and_is_told_why_it_is_closed() {
    const PUSHES: usize = 600;
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let mut frozen = server.device("user:1");
    let mut reader = server.device("user:2");
    let filler = "x".repeat(64 * 1024);
    let mut http = server.http();
    let mut slowest = Duration::ZERO;
    // About 40 MB: far beyond what the kernel's socket buffers and the server's queue may hold.
    for number in 0..PUSHES {
        let start = Instant::now();
        assert_eq!(
            http.post_form(&body(&format!(r#"{{"n":{number},"f":"{filler}"}}"#)))
                .text(),
            "ok"
        );
        assert_eq!(
            reader.push_msg()["n"],
            number,
            "the reading device misses nothing"
        );
        slowest = slowest.max(start.elapsed());
    }
    assert!(
        slowest < Duration::from_secs(1),
        "one push took {slowest:?} to reach a device that reads"
    );
    assert!(
        server.rss_bytes() < 100 << 20,
        "{} MiB for one frozen device",
        server.rss_bytes() >> 20
    );

    // It reads again: what it got is the beginning without a gap, and then the reason.
    let mut received = 0;
    let reason = loop {
        match frozen.see() {
            Seen::Text(text) => {
                let value: serde_json::Value =
                    serde_json::from_str(&text).expect("whole frames only");
                assert_eq!(value["msg"]["n"], received, "a gap before the close");
                received += 1;
            }
            Seen::Close(4002, reason) => break reason,
            other => panic!("after {received} messages: expected close 4002, saw {other:?}"),
        }
    };
    assert!(received < PUSHES, "the test froze nothing");
    assert!(!reason.is_empty(), "close 4002 says why");
    let mut back = server.device("user:1");
    server.push_chat("user:1", "back");
    assert_eq!(back.push_msg(), "back");
}
