//! RFC 6455 under the classic protocol: what a correct peer may do, and what a broken one is told.

use std::time::Duration;

use heartline_e2e::{Opcode, Peer, Seen, Stage, frame_bytes, frame_head};

const PING: &str = r#"{"event":"ping","data":{},"uuid":"f"}"#;

#[test]
fn json_in_a_binary_frame_is_understood_and_answered_as_text() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    peer.send_frame(true, Opcode::Binary, PING.as_bytes());
    assert_eq!(
        peer.see(),
        Seen::Text(
            r#"{"type":"respon","event":"f","data":{"error":0,"body":"PING检查连接可用"}}"#.into()
        )
    );
}

#[test]
fn a_fragmented_message_is_one_message_even_with_control_frames_between() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:中文");
    let text = "{\"event\":\"ping\",\"uuid\":\"片段\"}".as_bytes();
    // One byte per fragment cuts every character in the middle.
    for (at, byte) in text.iter().enumerate() {
        let opcode = if at == 0 {
            Opcode::Text
        } else {
            Opcode::Continuation
        };
        peer.send_frame(at + 1 == text.len(), opcode, &[*byte]);
        if at == 5 {
            peer.send_frame(true, Opcode::Ping, b"between");
        }
    }
    assert_eq!(peer.see(), Seen::Pong(b"between".to_vec()));
    assert_eq!(peer.reply_to("\"片段\"").0, 0);
    peer.send_frame(false, Opcode::Binary, b"{\"event\":\"ping\",");
    peer.send_frame(false, Opcode::Continuation, b"");
    peer.send_frame(true, Opcode::Continuation, b"\"uuid\":7}");
    assert_eq!(peer.reply_to("7").0, 0);
}

#[test]
fn a_frame_that_arrives_byte_by_byte_is_one_frame() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    for byte in frame_bytes(true, 1, Some([9, 8, 7, 6]), PING.as_bytes()) {
        peer.send_raw([byte]);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(peer.reply_to("\"f\"").0, 0);
}

#[test]
fn a_first_frame_in_the_same_packet_as_the_upgrade_is_not_lost() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = Peer::half_open(server.address());
    let mut bytes = Peer::upgrade_request("/", "").into_bytes();
    bytes.extend(frame_bytes(true, 1, Some([9, 8, 7, 6]), PING.as_bytes()));
    peer.send_raw(bytes);
    peer.finish_upgrade();
    assert_eq!(peer.reply_to("\"f\"").0, 1);
}

#[test]
fn a_control_ping_is_answered_with_its_own_payload() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.peer();
    for payload in [&b""[..], b"x", &[0xff; 125]] {
        peer.send_frame(true, Opcode::Ping, payload);
        assert_eq!(peer.see(), Seen::Pong(payload.to_vec()));
    }
    peer.send_frame(true, Opcode::Pong, b"unasked");
    assert!(!peer.ping(), "an unasked pong is nothing to worry about");
}

#[test]
fn a_close_is_answered_with_a_close_and_the_end() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    let mut payload = 1000_u16.to_be_bytes().to_vec();
    payload.extend_from_slice("再见".as_bytes());
    peer.send_frame(true, Opcode::Close, &payload);
    assert!(
        matches!(peer.see(), Seen::Close(1000, _)),
        "the code comes back"
    );
    assert_eq!(peer.see(), Seen::End);
    let mut peer = server.peer();
    peer.send_frame(true, Opcode::Close, b"");
    assert!(matches!(peer.see(), Seen::Close(1000 | 1005, _)));
    assert_eq!(peer.see(), Seen::End);
}

#[test]
fn what_breaks_the_framing_is_closed_with_1002() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mask = Some([1, 2, 3, 4]);
    let offences: Vec<(&str, Vec<u8>)> = vec![
        (
            "an unmasked text frame",
            frame_bytes(true, 1, None, PING.as_bytes()),
        ),
        (
            "an unmasked binary frame",
            frame_bytes(true, 2, None, PING.as_bytes()),
        ),
        ("an unmasked control ping", frame_bytes(true, 9, None, b"")),
        ("a reserved data opcode", frame_bytes(true, 3, mask, b"x")),
        (
            "a reserved control opcode",
            frame_bytes(true, 11, mask, b"x"),
        ),
        (
            "a compressed frame, unagreed",
            [frame_head(0xc1, mask, 2), vec![0, 0]].concat(),
        ),
        (
            "reserved bit 2",
            [frame_head(0xa1, mask, 2), vec![0, 0]].concat(),
        ),
        (
            "reserved bit 3",
            [frame_head(0x91, mask, 2), vec![0, 0]].concat(),
        ),
        (
            "a continuation of nothing",
            frame_bytes(true, 0, mask, b"x"),
        ),
        (
            "a message inside a message",
            [
                frame_bytes(false, 1, mask, b"{"),
                frame_bytes(true, 1, mask, b"{}"),
            ]
            .concat(),
        ),
        (
            "a fragmented control frame",
            frame_bytes(false, 9, mask, b"x"),
        ),
        (
            "a control frame of 126 bytes",
            frame_bytes(true, 9, mask, &[0; 126]),
        ),
        (
            "a close frame of one byte",
            frame_bytes(true, 8, mask, &[3]),
        ),
        (
            "a close code that must not be sent",
            frame_bytes(true, 8, mask, &1005_u16.to_be_bytes()),
        ),
    ];
    for (name, bytes) in offences {
        let mut peer = server.device("user:6");
        peer.send_raw(bytes);
        match peer.see() {
            Seen::Close(1002, _) => {
                assert_eq!(peer.see(), Seen::End, "{name}: the connection ends")
            }
            other => panic!("{name}: expected close 1002, saw {other:?}"),
        }
    }
    assert!(
        server.device("user:6").ping(),
        "others are served as before"
    );
}

#[test]
fn a_text_that_is_not_utf8_is_closed_with_1007() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    for bytes in [
        &[0xff, 0xfe][..],
        &[0xc3],
        &[0xed, 0xa0, 0x80],
        b"{\"event\":\"\xc0\x80\"}",
    ] {
        let mut peer = server.device("user:6");
        peer.send_frame(true, Opcode::Text, bytes);
        peer.expect_close(1007);
    }
}

#[test]
fn a_message_at_the_limit_is_served_and_one_above_is_closed_with_1009() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    let limit = 1024 * 1024;
    let skeleton = r#"{"event":"ping","uuid":1,"data":""}"#;
    let at_limit = skeleton.replace(
        r#":"""#,
        &format!(":\"{}\"", "a".repeat(limit - skeleton.len())),
    );
    assert_eq!(at_limit.len(), limit);
    peer.send(&at_limit);
    assert_eq!(peer.reply_to("1").0, 0);
    peer.send_raw(frame_head(0x81, Some([0; 4]), limit as u64 + 1));
    peer.expect_close(1009);
    let mut in_pieces = server.device("user:6");
    in_pieces.send_frame(false, Opcode::Text, &vec![b' '; limit]);
    in_pieces.send_frame(true, Opcode::Continuation, b"x");
    in_pieces.expect_close(1009);
}

/// A well-known independent implementation agrees that we speak WebSocket.
#[tokio::test]
async fn an_independent_client_logs_in_and_receives() {
    use futures::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;

    let stage = Stage::shared();
    let server = stage.server(&[]);
    let url = format!("ws://{}/", server.address());
    let (mut socket, _) = tokio_tungstenite::connect_async(url)
        .await
        .expect("a handshake");
    let token = heartline_e2e::token_for("user:6");
    let login =
        format!(r#"{{"event":"login","data":{{"u":"user:6","token":"{token}"}},"uuid":1}}"#);
    socket.send(Message::text(login)).await.expect("a send");
    let reply = socket
        .next()
        .await
        .expect("a reply")
        .expect("no error")
        .into_text()
        .expect("text");
    assert_eq!(
        reply.as_str(),
        r#"{"type":"respon","event":1,"data":{"error":0,"body":"登录成功"}}"#
    );
    server.push_chat("user:6", "hi"); // blocks, and nothing else needs this thread
    let push = socket
        .next()
        .await
        .expect("a push")
        .expect("no error")
        .into_text()
        .expect("text");
    assert_eq!(
        push.as_str(),
        r#"{"event":"chat1","msg":"hi","to":"user:6","type":"app"}"#
    );
    socket.close(None).await.expect("a close");
    while let Some(frame) = socket.next().await {
        assert!(
            matches!(frame, Ok(Message::Close(_))),
            "after close only the echo comes: {frame:?}"
        );
    }
}
