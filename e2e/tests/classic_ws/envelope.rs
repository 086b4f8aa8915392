//! Requests and replies: exact bytes, ids spelled back as they came, and frames that are none.

use std::time::Duration;

use heartline_e2e::{Opcode, Peer, Seen, Server, Stage, token_for};

const OK_LOGIN: &str = r#"{"error":0,"body":"登录成功"}"#;
const BAD_LOGIN: &str = r#"{"error":1,"body":"出现错误,登录失败"}"#;
const OK_PING: &str = r#"{"error":0,"body":"PING检查连接可用"}"#;
const BAD_PING: &str = r#"{"error":1,"body":"PING检查连接不可用"}"#;

/// Sends a frame and compares the reply byte by byte.
fn check(peer: &mut Peer, frame: &str, event: &str, data: &str) {
    peer.send(frame);
    assert_eq!(
        peer.text(),
        format!(r#"{{"type":"respon","event":{event},"data":{data}}}"#),
        "reply to {frame}"
    );
}

fn login_frame(user: &str, uuid: &str) -> String {
    format!(
        r#"{{"event":"login","data":{{"u":"{user}","token":"{}"}},"uuid":{uuid}}}"#,
        token_for(user)
    )
}

#[test]
fn the_four_classic_replies_are_exact_to_the_byte() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.peer();
    check(
        &mut peer,
        r#"{"event":"ping","data":{},"uuid":1}"#,
        "1",
        BAD_PING,
    );
    check(
        &mut peer,
        r#"{"event":"login","data":{"u":"user:6","token":"no"},"uuid":2}"#,
        "2",
        BAD_LOGIN,
    );
    check(&mut peer, &login_frame("user:6", "3"), "3", OK_LOGIN);
    check(
        &mut peer,
        r#"{"event":"ping","data":{},"uuid":4}"#,
        "4",
        OK_PING,
    );
}

#[test]
fn a_uuid_comes_back_exactly_as_it_was_spelled() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.peer();
    let ten_to_the_thirty = "1000000000000000000000000000000";
    let spellings = [
        "1700000000001",
        "1.10",
        "1.0",
        "1e2",
        "1E+2",
        "-0",
        "-0.0",
        "0",
        "9007199254740993",
        ten_to_the_thirty,
        "0.1000000000000000055511151231257827",
        r#""x""#,
        r#""""#,
        "null",
        "true",
        "false",
        "[1, 2]",
        "[ ]",
        r#"{"a":1.0}"#,
        r#"{ "b" : [ 1.50 , {} ] }"#,
        r#"{"z":1,"a":2,"z":3}"#,
        r#""\u4e2d\/\"\n""#,
        r#""中/""#,
        r#""\ud83d\ude00""#,
        r#""e2e-0123456789-abcdefghijklmnopqrstuvwxyz""#,
    ];
    for uuid in spellings {
        check(
            &mut peer,
            &format!(r#"{{"event":"ping","data":{{}},"uuid":{uuid}}}"#),
            uuid,
            BAD_PING,
        );
        check(
            &mut peer,
            &format!(r#"{{"uuid":{uuid},"event":"unheard-of-login","data":{{}}}}"#)
                .replace("unheard-of-", ""),
            uuid,
            BAD_LOGIN,
        );
    }
    check(
        &mut peer,
        &login_frame("user:6", "[1, 2]"),
        "[1, 2]",
        OK_LOGIN,
    );
    check(
        &mut peer,
        r#"{"event":"ping","data":{},"uuid": 1.10 }"#,
        "1.10",
        OK_PING,
    );
}

#[test]
fn a_request_without_a_uuid_is_answered_with_null() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.peer();
    check(&mut peer, r#"{"event":"ping","data":{}}"#, "null", BAD_PING);
    check(&mut peer, r#"{"event":"ping"}"#, "null", BAD_PING);
}

#[test]
fn data_may_be_absent_for_a_ping_and_keys_may_come_in_any_order() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    check(&mut peer, r#"{"event":"ping","uuid":1}"#, "1", OK_PING);
    check(
        &mut peer,
        r#"{"event":"ping","data":null,"uuid":2}"#,
        "2",
        OK_PING,
    );
    check(
        &mut peer,
        r#"{"event":"ping","data":[1],"uuid":3}"#,
        "3",
        OK_PING,
    );
    check(
        &mut peer,
        r#"{"uuid":4,"more":{"of":"it"},"event":"ping"}"#,
        "4",
        OK_PING,
    );
    check(
        &mut peer,
        " \r\n\t{ \"event\" : \"ping\" , \"uuid\" : 5 }\n",
        "5",
        OK_PING,
    );
    check(
        &mut peer,
        r#"{"\u0065vent":"p\u0069ng","uuid":6}"#,
        "6",
        OK_PING,
    );
}

#[test]
fn an_unknown_event_is_answered_with_a_reason() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    for event in ["unheard-of", "Ping", "LOGIN", "ping ", "", "发送"] {
        let (error, reason) = peer.request(event, "{}");
        assert_eq!(error, 1, "event {event:?}");
        assert!(
            !reason.trim().is_empty(),
            "event {event:?} is refused without a reason"
        );
        assert!(
            !reason.contains("PING") && !reason.contains("登录"),
            "{event:?} got the reason of another: {reason}"
        );
    }
    assert!(peer.ping(), "the line still works");
}

#[test]
fn an_object_whose_event_is_missing_or_no_text_is_answered_too() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    for (number, frame) in [
        "{",
        r#"{"event":null,"#,
        r#"{"event":5,"#,
        r#"{"event":["ping"],"#,
        r#"{"event":{"ping":1},"#,
    ]
    .iter()
    .enumerate()
    {
        peer.send(&format!(r#"{frame}"data":{{}},"uuid":{number}}}"#));
        let (error, reason) = peer.reply_to(&number.to_string());
        assert!(
            error == 1 && !reason.trim().is_empty(),
            "{frame} got {error} {reason:?}"
        );
    }
}

#[test]
fn a_response_is_answered_with_nothing() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    peer.send(r#"{"event":"response","uuid":12345}"#);
    peer.send(r#"{"event":"response"}"#);
    peer.send(r#"{"event":"response","uuid":"x","data":{}}"#);
    // Replies keep the order of requests: had a response been answered, its reply would come first.
    check(
        &mut peer,
        r#"{"event":"ping","uuid":"after"}"#,
        r#""after""#,
        OK_PING,
    );
    peer.expect_silence(Duration::from_millis(100));
}

#[test]
fn a_frame_that_is_not_a_json_object_is_ignored_and_harms_nothing() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    let not_objects = [
        "",
        " ",
        "hello",
        "{",
        "}",
        "[]",
        r#"[{"event":"ping","uuid":1}]"#,
        "1",
        "null",
        "true",
        r#""ping""#,
        r#"{"event":"ping","uuid":1"#,
        r#"{"event":"ping","uuid":1}}"#,
        r#"{'event':'ping'}"#,
        r#"{"event":"ping",}"#,
        r#"{"event":"ping","uuid":01}"#,
        r#"{"event":"ping","uuid":NaN}"#,
        "\u{0}",
        r#"{"event":"\ud800"#,
    ];
    for text in not_objects {
        peer.send(text);
    }
    peer.send_frame(true, Opcode::Binary, &[0xff, 0xfe, 0x00, 0x80]);
    peer.send("[".repeat(100_000).as_str());
    peer.send(&format!(
        r#"{{"event":"ping","uuid":{}1{}}}"#,
        "[".repeat(200_000),
        "]".repeat(100_000)
    ));
    check(
        &mut peer,
        r#"{"event":"ping","uuid":"after"}"#,
        r#""after""#,
        OK_PING,
    );
    server.push_chat("user:6", "still here");
    assert_eq!(peer.push_msg(), "still here");
    peer.expect_silence(Duration::from_millis(100));
}

#[test]
fn any_path_and_any_origin_may_upgrade_and_no_subprotocol_is_echoed() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    for path in ["/", "/ws", "/a/b/c?x=1&y=%20", "/index.php", "/healthz"] {
        let mut peer = Peer::connect_with(
            server.address(),
            path,
            "Origin: https://servicewechat.com/wx0/devtools/page-frame.html\r\n",
        );
        peer.login("user:6");
    }
    let offers = "Origin: null\r\nSec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let mut peer = Peer::connect_with(server.address(), "/", offers);
    assert_eq!(
        peer.upgrade_header("sec-websocket-protocol"),
        None,
        "no subprotocol is echoed"
    );
    assert_eq!(
        peer.upgrade_header("sec-websocket-extensions"),
        None,
        "no extension is agreed on"
    );
    assert!(!peer.ping());
}

#[test]
fn many_requests_in_one_write_are_answered_in_order() {
    let stage = Stage::shared();
    let server: Server = stage.server(&[]);
    let mut peer = server.device("user:6");
    let mut bytes = Vec::new();
    for number in 0..500 {
        let text = format!(r#"{{"event":"ping","uuid":{number}}}"#);
        bytes.extend(heartline_e2e::frame_bytes(
            true,
            1,
            Some([1, 2, 3, 4]),
            text.as_bytes(),
        ));
    }
    peer.send_raw(bytes);
    for number in 0..500 {
        assert_eq!(
            peer.see(),
            Seen::Text(format!(
                r#"{{"type":"respon","event":{number},"data":{OK_PING}}}"#
            ))
        );
    }
}
