//! The classic conversation against a running server: login, pings, deadlines, bounds, farewell.

mod line;

use futures::SinkExt;
use heartline_server::metrics::Happening;
use line::{Line, after_handshake, handshake_and, login};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

#[tokio::test]
async fn login_and_ping_are_answered_to_the_letter() {
    let line = Line::start(|_| {}).await;
    let mut device = line.device().await;
    let ping = r#"{"event":"ping","data":{},"uuid":1700000000001}"#;
    device.say(ping).await;
    assert_eq!(
        device.hear().await,
        r#"{"type":"respon","event":1700000000001,"data":{"error":1,"body":"PING检查连接不可用"}}"#
    );
    device
        .say(r#"{"event":"login","data":{"u":"user:6","token":"wrong"},"uuid":1.10}"#)
        .await;
    assert_eq!(
        device.hear().await,
        r#"{"type":"respon","event":1.10,"data":{"error":1,"body":"出现错误,登录失败"}}"#
    );
    device.say(&login("user:6")).await;
    assert_eq!(
        device.hear().await,
        r#"{"type":"respon","event":1,"data":{"error":0,"body":"登录成功"}}"#
    );
    device.say(ping).await;
    assert_eq!(
        device.hear().await,
        r#"{"type":"respon","event":1700000000001,"data":{"error":0,"body":"PING检查连接可用"}}"#
    );
}

#[tokio::test]
async fn noise_is_ignored_and_unknown_events_are_answered() {
    let line = Line::start(|_| {}).await;
    let mut device = line.logged_in("user:1").await;
    for noise in [
        "hello",
        "[1]",
        "7",
        "{",
        "",
        r#"{"event":"response","uuid":5}"#,
    ] {
        device.say(noise).await;
    }
    device.hears_nothing_else().await;
    device
        .say(r#"{"event":"buy","data":[1],"uuid":{"a":1.0}}"#)
        .await;
    let answer = device.hear().await;
    assert!(
        answer.starts_with(r#"{"type":"respon","event":{"a":1.0},"data":{"error":1,"#),
        "{answer}"
    );
}

#[tokio::test]
async fn binary_and_fragmented_frames_are_understood_and_answers_are_text() {
    let line = Line::start(|_| {}).await;
    let mut device = line.device().await;
    let login = login("user:1");
    device
        .socket
        .send(Message::binary(login.clone().into_bytes()))
        .await
        .unwrap();
    assert!(matches!(device.next().await, Message::Text(text) if text.contains("登录成功")));

    let (first, second) = login.split_at(20);
    let piece = |text: &str, kind, is_last| {
        Message::Frame(Frame::message(
            text.as_bytes().to_vec(),
            OpCode::Data(kind),
            is_last,
        ))
    };
    device
        .socket
        .send(piece(first, Data::Text, false))
        .await
        .unwrap();
    device
        .socket
        .send(Message::Ping("between".into()))
        .await
        .unwrap();
    device
        .socket
        .send(piece(second, Data::Continue, true))
        .await
        .unwrap();
    assert_eq!(device.next().await, Message::Pong("between".into()));
    assert!(device.hear().await.contains("登录成功"));
}

#[tokio::test]
async fn the_server_pings_everyone_with_ever_different_numbers() {
    let line = Line::start(|config| config.timing.ping_interval_ms = 100).await;
    let mut stranger = line.device().await;
    let mut numbers = Vec::new();
    while numbers.len() < 3 {
        let Message::Text(text) = stranger.next().await else {
            panic!("a ping is a text")
        };
        let number = text
            .strip_prefix(r#"{"type":"ping","uuid":"#)
            .unwrap()
            .strip_suffix('}')
            .unwrap();
        numbers.push(number.parse::<u64>().unwrap());
        stranger
            .say(&format!(r#"{{"event":"response","uuid":{number}}}"#))
            .await;
    }
    assert!(!numbers.contains(&0), "truthy");
    numbers.dedup();
    assert_eq!(numbers.len(), 3);
}

#[tokio::test]
async fn who_says_nothing_or_never_logs_in_is_told_goodbye() {
    let line = Line::start(|config| config.timing.idle_timeout_ms = 300).await;
    let began = Instant::now();
    assert_eq!(line.logged_in("user:1").await.closed().await.0, 4000);
    assert!(began.elapsed() >= Duration::from_millis(300));

    let line = Line::start(|config| config.timing.login_deadline_ms = 300).await;
    let mut logged_in = line.logged_in("user:1").await;
    let mut stranger = line.device().await;
    stranger.say(r#"{"event":"ping","uuid":1}"#).await;
    assert_eq!(stranger.closed().await.0, 4001);
    logged_in.hears_nothing_else().await;
}

#[tokio::test]
async fn the_peers_close_is_echoed() {
    let line = Line::start(|_| {}).await;
    let answer = line
        .raw(&handshake_and(&[0x88, 0x82, 0, 0, 0, 0, 0x0b, 0xb9]))
        .await;
    assert_eq!(
        after_handshake(&answer),
        [0x88, 2, 0x0b, 0xb9],
        "3001, unmasked"
    );
    let answer = line.raw(&handshake_and(&[0x88, 0x80, 0, 0, 0, 0])).await;
    assert_eq!(after_handshake(&answer), [0x88, 0]);
}

#[tokio::test]
async fn who_breaks_the_framing_is_told_how() {
    let line = Line::start(|_| {}).await;
    for (frames, code) in [
        (&[0x81, 2, b'{', b'}'][..], 1002u16),
        (&[0xc1, 0x80, 0, 0, 0, 0], 1002),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        (&[0x81, 0x81, 0, 0, 0, 0, 0xff], 1007),
        (&[0x82, 0xff, 0, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0], 1009),
    ] {
        let answer = line.raw(&handshake_and(frames)).await;
        let close = after_handshake(&answer);
        assert_eq!(
            (close[0], u16::from_be_bytes([close[2], close[3]])),
            (0x88, code),
            "{frames:x?}"
        );
    }
}

#[tokio::test]
async fn a_flood_is_cut_off_and_a_crowd_is_not_let_in() {
    let line = Line::start(|config| {
        config.limits.frames_per_second = 1;
        config.limits.frame_burst = 20;
        config.limits.max_connections = 3;
        config.limits.max_connections_per_user = 1;
    })
    .await;
    let mut first = line.logged_in("user:1").await;
    let mut second = line.device().await;
    second.say(&login("user:1")).await;
    assert!(second.hear().await.contains("登录失败"));
    assert_eq!(second.closed().await.0, 4004);
    drop(second);

    let mut flood = line.device().await;
    for _ in 0..21 {
        flood.say("{}").await;
    }
    assert_eq!(flood.closed().await.0, 4003);
    first.hears_nothing_else().await;

    let mut crowd = Vec::new();
    let turned_away = loop {
        let answer = line.raw_head(&handshake_and(&[]), &mut crowd).await;
        if !answer.starts_with("HTTP/1.1 101") {
            break answer;
        }
        assert!(crowd.len() <= 3);
    };
    assert!(turned_away.starts_with("HTTP/1.1 503"), "{turned_away}");
    assert!(
        turned_away.contains("too many connections"),
        "{turned_away}"
    );
}

#[tokio::test]
async fn only_allowed_origins_come_in() {
    let line =
        Line::start(|config| config.allowed_origins = vec!["https://app.example".into()]).await;
    let mut crowd = Vec::new();
    let with_origin = |origin: &str| {
        let plain = String::from_utf8(handshake_and(&[])).unwrap();
        plain.replace("Host: x\r\n", &format!("Host: x\r\nOrigin: {origin}\r\n"))
    };
    let evil = line
        .raw_head(with_origin("https://evil.example").as_bytes(), &mut crowd)
        .await;
    assert!(evil.starts_with("HTTP/1.1 403"), "{evil}");
    let good = line
        .raw_head(with_origin("https://app.example").as_bytes(), &mut crowd)
        .await;
    assert!(good.starts_with("HTTP/1.1 101"), "{good}");
}

#[tokio::test]
async fn at_the_end_everyone_is_told_when_to_come_back() {
    let line = Line::start(|_| {}).await;
    let mut devices = Vec::new();
    for _ in 0..8 {
        devices.push(line.logged_in("user:1").await);
    }
    assert_eq!(
        line.push("event=chat1&msg=last+words&to=user:1").await,
        (200, "ok".into())
    );
    let address = line.address;
    let leaving = tokio::spawn(line.server.shutdown());
    let mut advice = Vec::new();
    for device in &mut devices {
        assert!(
            device.hear().await.contains("last words"),
            "what was accepted is delivered first"
        );
        let (code, reason) = device.closed().await;
        assert_eq!(code, 4005);
        advice.push(heartline_protocol::CloseCode::parse_retry(&reason).expect("advice"));
    }
    drop(devices);
    tokio::time::timeout(Duration::from_secs(5), leaving)
        .await
        .expect("in time")
        .unwrap();
    advice.sort_unstable();
    advice.dedup();
    assert!(advice.len() >= 4, "spread: {advice:?}");
    assert!(
        tokio::net::TcpStream::connect(address).await.is_err(),
        "the port is closed"
    );
}

#[tokio::test]
async fn a_crowd_of_half_sent_messages_is_bounded_together() {
    let line = Line::start(|config| config.shards = 1).await;
    let mut witness = line.logged_in("user:1").await;
    // A binary frame of a million bytes, of which nine tenths come.
    let mut half = handshake_and(&[0x82, 0xff, 0, 0, 0, 0, 0, 0x0f, 0x42, 0x40, 0, 0, 0, 0]);
    half.resize(half.len() + 900_000, 0);
    let mut crowd = Vec::new();
    for _ in 0..200 {
        let mut stream = tokio::net::TcpStream::connect(line.address).await.unwrap();
        let sent = tokio::io::AsyncWriteExt::write_all(&mut stream, &half).await;
        // One that was closed meanwhile may hear of it as an error here.
        crowd.push((stream, sent.is_ok()));
    }
    witness.hears_nothing_else().await;
    // The kernel has taken it all; the server reads in turns.
    let refused = || line.server.metrics().total(Happening::TooBig);
    for _ in 0..500 {
        if refused() >= 20 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    witness.hears_nothing_else().await;
    let refused = refused();
    assert!(
        (20..=120).contains(&refused),
        "{refused} of 200 found no room in 128 MiB"
    );
    drop(crowd);
    witness.hears_nothing_else().await;
}
