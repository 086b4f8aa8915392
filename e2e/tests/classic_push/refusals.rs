//! Pushes that cannot be: each is a definite 4xx with the reason, no device sees anything, the server stays well.

use std::time::Duration;

use heartline_e2e::{HttpConnection, Response, Server, Stage};

const FORM: &str = "application/x-www-form-urlencoded";

fn refused(response: &Response, what: &str) {
    assert!(
        (400..500).contains(&response.status),
        "{what}: status {} {:?}",
        response.status,
        response.text()
    );
    assert!(
        !response.text().trim().is_empty(),
        "{what}: {} without a reason",
        response.status
    );
}

fn post(server: &Server, content_type: &str, body: &[u8]) -> Response {
    server.http().post(content_type, body, "")
}

#[test]
fn a_form_that_lacks_or_bends_a_field_is_refused_with_the_reason() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    let bodies: [&[u8]; 17] = [
        b"",
        b"&",
        b"event=chat1&msg=x&type=app",
        b"event=chat1&msg=x&to=&type=app",
        b"event=chat1&msg=x&to=+,+,,&type=app",
        b"event=chat1&msg=x&to[]=&type=app",
        b"event=chat1&msg=x&to=online:&type=app",
        b"event=chat1&to=user:1&type=app",
        b"event=chat1&msg[a]=1&to=user:1&type=app",
        b"event=chat1&msg[]=1&to=user:1&type=app",
        b"msg=x&to=user:1&type=app",
        b"event[]=chat1&msg=x&to=user:1&type=app",
        b"event=chat1&msg=%ff%fe&to=user:1&type=app",
        b"event=chat1&msg=\xff\xfe&to=user:1&type=app",
        b"event=chat1&msg=x&to=user:1%c3&type=app",
        b"event=chat1%80&msg=x&to=user:1&type=app",
        b"\x00\x01\x02",
    ];
    for body in bodies {
        refused(&post(&server, FORM, body), &String::from_utf8_lossy(body));
    }
    device.expect_silence(Duration::from_millis(150));
    server.push_chat("user:1", "and this one is fine");
    assert_eq!(device.push_msg(), "and this one is fine");
}

#[test]
fn a_json_body_that_is_none_or_lacks_a_field_is_refused() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"x\"",
        r#"{"event":"chat1","msg":"x"}"#,
        r#"{"event":"chat1","msg":"x","to":""}"#,
        r#"{"event":"chat1","msg":"x","to":[]}"#,
        r#"{"event":"chat1","msg":"x","to":5}"#,
        r#"{"event":"chat1","msg":"x","to":{"a":{"b":1}}}"#,
        r#"{"event":"chat1","to":"user:1"}"#,
        r#"{"msg":"x","to":"user:1"}"#,
        r#"{"event":5,"msg":"x","to":"user:1"}"#,
    ] {
        refused(&post(&server, "application/json", body.as_bytes()), body);
    }
    refused(
        &post(
            &server,
            "application/json",
            b"{\"event\":\"chat1\",\"msg\":\"\xff\",\"to\":\"user:1\"}",
        ),
        "not UTF-8",
    );
    device.expect_silence(Duration::from_millis(100));
}

#[test]
fn a_multipart_body_that_is_broken_is_refused() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let part = |name: &str, value: &str| {
        format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    let whole = [
        part("event", "chat1"),
        part("msg", "x"),
        part("to", "user:1"),
        "--b--\r\n".into(),
    ]
    .concat();
    for (content_type, body) in [
        ("multipart/form-data", whole.as_str()),
        ("multipart/form-data; boundary=", &whole),
        ("multipart/form-data; boundary=other", &whole),
        ("multipart/form-data; boundary=b", ""),
        ("multipart/form-data; boundary=b", "--b\r\n"),
        (
            "multipart/form-data; boundary=b",
            &whole[..whole.len() - 30],
        ),
        (
            "multipart/form-data; boundary=b",
            "--b\r\nContent-Disposition: nonsense\r\n\r\nx\r\n--b--\r\n",
        ),
    ] {
        refused(&post(&server, content_type, body.as_bytes()), content_type);
    }
    let bytes = [
        part("event", "chat1").into_bytes(),
        part("msg", "?").replace('?', "").into_bytes(),
    ]
    .concat();
    let not_utf8 = [
        &bytes[..bytes.len() - 2],
        b"\xff\xfe\r\n",
        part("to", "user:1").as_bytes(),
        b"--b--\r\n",
    ]
    .concat();
    refused(
        &post(&server, "multipart/form-data; boundary=b", &not_utf8),
        "a value that is not UTF-8",
    );
}

#[test]
fn a_get_without_a_body_is_refused_with_a_reason() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    for path in ["/", "/index.php", "/?event=chat1&msg=x&to=user:1"] {
        let mut http = server.http();
        http.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"));
        refused(&http.response(), path);
    }
}

#[test]
fn what_is_not_http_is_refused_or_closed_and_never_hangs() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    for bytes in [
        &b"\r\n\r\n\r\n"[..],
        b"HELLO\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1, 2\r\n\r\nx",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x00\x00\x00\x00\x00\x00\x00\x00\r\n\r\n",
    ] {
        let mut http = HttpConnection::connect(server.address());
        http.send(bytes);
        match http.response_within(Duration::from_secs(30)) {
            Ok(response) => assert!(
                (400..=505).contains(&response.status),
                "{:?}: {}",
                String::from_utf8_lossy(bytes),
                response.status
            ),
            Err(error) => assert_ne!(
                error.kind(),
                std::io::ErrorKind::TimedOut,
                "hangs on {:?}",
                String::from_utf8_lossy(bytes)
            ),
        }
    }
    let mut wrong_upgrade = HttpConnection::connect(server.address());
    wrong_upgrade.send("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n");
    refused(&wrong_upgrade.response(), "an upgrade without a key");
    let mut old_version = HttpConnection::connect(server.address());
    old_version.send("GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 8\r\n\r\n");
    let response = old_version.response();
    refused(&response, "an old WebSocket version");
    assert_eq!(
        response.header("sec-websocket-version"),
        Some("13"),
        "RFC 6455 §4.4"
    );
}
