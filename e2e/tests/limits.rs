//! Every bound that an operator can set, and the documented code or status that one meets there.

use std::time::Duration;

use heartline_e2e::{HttpConnection, Peer, Seen, Server, Stage, eventually, form_body};

/// The status that an upgrade gets.
fn upgrade_status(server: &Server, further_headers: &str) -> u16 {
    let mut http = HttpConnection::connect(server.address());
    http.send(Peer::upgrade_request("/", further_headers));
    http.response_within(Duration::from_secs(10))
        .map_or(0, |response| response.status)
}

#[test]
fn connections_beyond_the_servers_bound_get_503_until_one_leaves() {
    let stage = Stage::shared();
    let server = stage.server(&["--max-connections", "5"]);
    let mut inside: Vec<_> = (0..5).map(|_| server.device("user:1")).collect();
    assert_eq!(upgrade_status(&server, ""), 503);
    assert!(inside.iter_mut().all(Peer::ping), "those inside are served");
    drop(inside.pop());
    eventually("a place is free", Duration::from_secs(5), 101, || {
        upgrade_status(&server, "")
    });
}

#[test]
fn connections_beyond_the_bound_of_one_address_get_429() {
    let stage = Stage::shared();
    let server = stage.server(&["--max-connections-per-address", "3"]);
    let mut inside: Vec<_> = (0..3).map(|_| server.device("user:1")).collect();
    assert_eq!(upgrade_status(&server, ""), 429);
    drop(inside.pop());
    eventually("a place is free", Duration::from_secs(5), 101, || {
        upgrade_status(&server, "")
    });
}

#[test]
fn logins_beyond_the_bound_of_one_user_are_closed_with_4004() {
    let stage = Stage::shared();
    let server = stage.server(&["--max-connections-per-user", "2"]);
    let mut inside = [server.device("user:1"), server.device("user:1")];
    let mut third = server.peer();
    let token = heartline_e2e::token_for("user:1");
    third.send(&format!(
        r#"{{"event":"login","data":{{"u":"user:1","token":"{token}"}},"uuid":1}}"#
    ));
    third.expect_close(4004);
    assert!(
        server.device("user:2").ping(),
        "other users are not concerned"
    );
    inside[0].login("user:1");
    assert!(
        inside.iter_mut().all(Peer::ping),
        "logging in again is no further connection"
    );
}

#[test]
fn frames_beyond_the_rate_are_closed_with_4003() {
    let stage = Stage::shared();
    let server = stage.server(&["--frame-burst", "50", "--frames-per-second", "10"]);
    let mut fast = server.device("user:1");
    for number in 0..200 {
        fast.send(&format!(r#"{{"event":"ping","uuid":{number}}}"#));
    }
    let mut replies = 0;
    loop {
        match fast.see() {
            Seen::Text(_) => replies += 1,
            Seen::Close(4003, _) => break,
            other => panic!("after {replies} replies: {other:?}"),
        }
    }
    assert!(
        (45..=60).contains(&replies),
        "{replies} replies within a burst of 50"
    );
    let mut steady = server.device("user:1");
    for _ in 0..30 {
        assert!(steady.ping());
    }
}

#[test]
fn a_message_over_the_bound_set_is_closed_with_1009() {
    let stage = Stage::shared();
    let server = stage.server(&["--max-message-bytes", "1000"]);
    let mut peer = server.device("user:1");
    peer.send(&format!(
        r#"{{"event":"ping","uuid":1,"data":"{}"}}"#,
        "x".repeat(900)
    ));
    assert_eq!(peer.reply_to("1").0, 0);
    peer.send(&"x".repeat(1_001));
    peer.expect_close(1009);
}

#[test]
fn only_the_origins_listed_may_upgrade_and_others_get_403() {
    let stage = Stage::shared();
    let server = stage.server(&["--allowed-origin", "https://app.example.com"]);
    assert_eq!(
        upgrade_status(&server, "Origin: https://app.example.com\r\n"),
        101
    );
    assert_eq!(
        upgrade_status(&server, ""),
        101,
        "native clients send no origin"
    );
    for other in [
        "https://evil.example.com",
        "http://app.example.com",
        "https://app.example.com.evil.com",
        "null",
    ] {
        assert_eq!(
            upgrade_status(&server, &format!("Origin: {other}\r\n")),
            403,
            "{other}"
        );
    }
}

#[test]
fn a_push_to_more_users_than_allowed_is_refused_whole() {
    let stage = Stage::shared();
    let server = stage.server(&["--max-recipients", "3"]);
    let mut device = server.device("user:1");
    let push = |to: &str| {
        let body = form_body(&[
            ("event", "chat1"),
            ("msg", "m"),
            ("to", to),
            ("type", "app"),
        ]);
        server.http().post_form(&body)
    };
    let refused = push("user:1,user:2,user:3,user:4");
    assert!(
        (400..500).contains(&refused.status) && !refused.text().is_empty(),
        "{}",
        refused.status
    );
    device.expect_silence(Duration::from_millis(100));
    assert_eq!(push("user:1,user:2,user:3,user:3").text(), "ok");
    assert_eq!(device.push_msg(), "m");
}

#[test]
fn the_events_that_may_be_pushed_are_the_operators_choice() {
    let stage = Stage::shared();
    let server = stage.server(&["--push-event", "order_*", "--push-event", "news"]);
    let mut device = server.device("user:1");
    for (event, answer) in [
        ("order_1", "ok"),
        ("news", "ok"),
        ("news1", "fail"),
        ("chat1", "fail"),
        ("user_tabbar", "fail"),
    ] {
        let response = server.push(&[
            ("event", event),
            ("msg", event),
            ("to", "user:1"),
            ("type", "app"),
        ]);
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, answer),
            "{event}"
        );
    }
    assert_eq!(device.push_msg(), "order_1");
    assert_eq!(device.push_msg(), "news");
}

#[test]
fn a_line_that_never_logs_in_is_closed_with_4001_and_one_that_did_is_not() {
    let stage = Stage::shared();
    let server = stage.server(&["--login-deadline-ms", "500"]);
    let mut inside = server.device("user:1");
    let mut outside = server.peer();
    assert!(!outside.ping(), "pinging is not logging in");
    assert_eq!(outside.try_login("user:1", "\"wrong\"").0, 1);
    outside.expect_close(4001);
    assert!(inside.ping());
}

/// The number that `/healthz` shows under a name.
fn counted(server: &Server, name: &str) -> u64 {
    let mut http = server.http();
    http.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    let text = http.response().text();
    let start = text
        .find(&format!("\"{name}\":"))
        .unwrap_or_else(|| panic!("no {name} in {text}"));
    let digits = text[start + name.len() + 3..].trim_start();
    let end = digits
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(digits.len());
    digits[..end].parse().expect("a number")
}

#[test]
fn a_bound_that_was_met_is_counted_and_logged() {
    let stage = Stage::shared();
    let server = stage.server(&[
        "--max-message-bytes",
        "1000",
        "--login-deadline-ms",
        "300",
        "--frame-burst",
        "50",
        "--max-connections-per-user",
        "1",
    ]);
    let names = [
        "too_big",
        "login_deadline",
        "rate_limited",
        "too_many_connections",
        "protocol_error",
        "body_too_big",
    ];
    for name in names {
        assert_eq!(counted(&server, name), 0, "{name} at the start");
    }
    server.peer().expect_close(4001);
    let mut big = server.device("user:1");
    big.send(&"x".repeat(1_001));
    big.expect_close(1009);
    let mut many = server.device("user:2");
    let mut too_many = server.peer();
    let token = heartline_e2e::token_for("user:2");
    too_many.send(&format!(
        r#"{{"event":"login","data":{{"u":"user:2","token":"{token}"}},"uuid":1}}"#
    ));
    too_many.expect_close(4004);
    let ping = heartline_e2e::frame_bytes(true, 1, Some([1; 4]), br#"{"event":"ping","uuid":1}"#);
    many.send_raw(ping.repeat(5_000));
    many.expect_close(4003);
    let mut broken = server.peer();
    broken.send_raw(heartline_e2e::frame_bytes(true, 1, None, b"{}"));
    broken.expect_close(1002);
    let mut http = server.http();
    http.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
    assert_eq!(http.response().status, 413);
    for name in names {
        assert_eq!(counted(&server, name), 1, "{name} after it was met");
    }
    let printed = server.stdout() + &server.stderr();
    for name in names {
        assert!(
            printed.contains(name),
            "no log line names {name}:\n{printed}"
        );
    }
}
