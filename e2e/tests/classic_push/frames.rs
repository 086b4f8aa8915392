//! What a device gets: the form as it came, in each body format, every number in its own spelling.

use heartline_e2e::{Peer, Server, Stage, form_body, multipart_body};

fn push_ok(server: &Server, content_type: &str, body: &[u8]) {
    let response = server.http().post(content_type, body, "");
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "ok"),
        "{}",
        String::from_utf8_lossy(body)
    );
}

/// Pushes the fields urlencoded and as multipart; both must give this frame.
fn check(server: &Server, device: &mut Peer, fields: &[(&str, &str)], frame: &str) {
    push_ok(
        server,
        "application/x-www-form-urlencoded",
        form_body(fields).as_bytes(),
    );
    assert_eq!(device.text(), frame, "urlencoded {fields:?}");
    let (content_type, body) = multipart_body(fields);
    push_ok(server, &content_type, &body);
    assert_eq!(device.text(), frame, "multipart {fields:?}");
}

#[test]
fn the_frame_is_the_form_as_it_came() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    check(
        &server,
        &mut device,
        &[
            ("event", "chat1"),
            ("msg", "reload"),
            ("to", "user:1"),
            ("type", "app"),
        ],
        r#"{"event":"chat1","msg":"reload","to":"user:1","type":"app"}"#,
    );
    check(
        &server,
        &mut device,
        &[
            ("type", "app"),
            ("to", "online:user:1"),
            ("msg", "3"),
            ("event", "user_tabbar"),
            ("index", "2"),
            ("标题", "通知"),
        ],
        r#"{"type":"app","to":"online:user:1","msg":3,"event":"user_tabbar","index":"2","标题":"通知"}"#,
    );
}

#[test]
fn a_msg_that_is_json_is_decoded_and_any_other_stays_the_string_it_was() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    for (text, in_frame) in [
        ("0", "0"),
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("1.10", "1.10"),
        ("1e2", "1e2"),
        ("-0", "-0"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("0.10000000000000000555", "0.10000000000000000555"),
        ("true", "true"),
        ("false", "false"),
        (r#"{"a":1}"#, r#"{"a":1}"#),
        ("{}", "{}"),
        ("[]", "[]"),
        (
            r#"{"a":{},"b":[],"c":1.0,"d":null}"#,
            r#"{"a":{},"b":[],"c":1.0,"d":null}"#,
        ),
        (
            r#"{"z":1,"a":9007199254740993}"#,
            r#"{"z":1,"a":9007199254740993}"#,
        ),
        (r#""q""#, r#""q""#),
        (r#""null""#, r#""null""#),
        ("007", r#""007""#),
        ("+1", r#""+1""#),
        ("1.", r#""1.""#),
        ("0x1", r#""0x1""#),
        ("null", r#""null""#),
        ("NULL", r#""NULL""#),
        ("True", r#""True""#),
        ("", r#""""#),
        (" ", r#"" ""#),
        ("hello", r#""hello""#),
        ("{a:1}", r#""{a:1}""#),
        ("{\"a\":1", r#""{\"a\":1""#),
        ("[1,]", r#""[1,]""#),
        ("say \"hi\"\\", r#""say \"hi\"\\""#),
        ("a\tb\r\nc", r#""a\tb\r\nc""#),
        ("中文 😀 a&b=c+d%", r#""中文 😀 a&b=c+d%""#),
    ] {
        let fields = [
            ("event", "chat1"),
            ("msg", text),
            ("to", "user:1"),
            ("type", "app"),
        ];
        let frame = format!(r#"{{"event":"chat1","msg":{in_frame},"to":"user:1","type":"app"}}"#);
        check(&server, &mut device, &fields, &frame);
    }
}

#[test]
fn json_around_which_spaces_stand_means_what_it_means() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    server.push_chat("user:1", " {\"a\": 1} ");
    assert_eq!(device.push_msg(), serde_json::json!({"a": 1}));
}

#[test]
fn a_json_body_is_a_form_too() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    for (body, frame) in [
        (
            r#"{"event":"chat1","msg":{"a":1.0,"b":{}},"to":"user:1","type":"app"}"#,
            r#"{"event":"chat1","msg":{"a":1.0,"b":{}},"to":"user:1","type":"app"}"#,
        ),
        (
            r#"{"to":["user:1","user:2"],"event":"chat1","msg":12345678901234567890,"type":"app","n":1.10}"#,
            r#"{"to":["user:1","user:2"],"event":"chat1","msg":12345678901234567890,"type":"app","n":1.10}"#,
        ),
        (
            r#"{ "event" : "chat1", "msg" : "hello", "to" : "user:1", "type" : "app" }"#,
            r#"{"event":"chat1","msg":"hello","to":"user:1","type":"app"}"#,
        ),
    ] {
        for content_type in [
            "application/json",
            "application/json; charset=utf-8",
            "Application/JSON",
        ] {
            push_ok(&server, content_type, body.as_bytes());
            assert_eq!(device.text(), frame, "{content_type} {body}");
        }
    }
}

#[test]
fn a_long_message_arrives_whole() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    for len in [100, 125, 126, 127, 65_000, 65_535, 65_536, 200_000] {
        let msg = "长".repeat(len / 3) + &"x".repeat(len % 3);
        server.push_chat("user:1", &msg);
        assert_eq!(device.push_msg(), msg, "{len} bytes");
    }
}
