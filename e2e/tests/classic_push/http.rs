//! HTTP as PHP's curl and its cousins speak it: keep-alive, pipelining, chunks, `Expect`, any method and path.

use std::time::{Duration, Instant};

use heartline_e2e::{HttpConnection, Stage, form_body};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const TWO_MIB: usize = 2 * 1024 * 1024;

fn body(msg: &str) -> String {
    form_body(&[
        ("event", "chat1"),
        ("msg", msg),
        ("to", "user:1"),
        ("type", "app"),
    ])
}

fn request(method: &str, path: &str, msg: &str) -> String {
    let body = body(msg);
    format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

fn expect_ok(connection: &mut HttpConnection) {
    let response = connection.response();
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
}

#[test]
fn two_pushes_go_over_one_connection() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    let mut http = server.http();
    for msg in ["first", "second"] {
        http.send(request("POST", "/", msg));
        expect_ok(&mut http);
        assert_eq!(device.push_msg(), msg);
    }
}

#[test]
fn pipelined_pushes_are_answered_and_delivered_in_order() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    let mut http = server.http();
    let burst: String = (0..20)
        .map(|number| request("POST", "/", &number.to_string()))
        .collect();
    http.send(burst);
    for _ in 0..20 {
        expect_ok(&mut http);
    }
    for number in 0..20 {
        assert_eq!(device.push_msg(), number);
    }
}

#[test]
fn any_method_and_path_with_a_form_body_pushes() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    for (method, path) in [
        ("POST", "/push"),
        ("PUT", "/"),
        ("POST", "/a/b.php?x=1"),
        ("PATCH", "/"),
        ("DELETE", "/x"),
        ("GET", "/"),
    ] {
        let mut http = server.http();
        http.send(request(method, path, method));
        expect_ok(&mut http);
        assert_eq!(device.push_msg(), method, "{method} {path}");
    }
}

#[test]
fn a_chunked_body_is_a_body() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    let body = body("in pieces");
    let (one, rest) = body.split_at(1);
    let (two, three) = rest.split_at(10);
    let mut http = server.http();
    http.send(format!(
        "POST / HTTP/1.1\r\nHost: x\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n"
    ));
    for piece in [one, two, three] {
        http.send(format!("{:x};note=1\r\n{piece}\r\n", piece.len()));
        std::thread::sleep(Duration::from_millis(5));
    }
    http.send("0\r\nTrailer: x\r\n\r\n");
    expect_ok(&mut http);
    assert_eq!(device.push_msg(), "in pieces");
    http.send(request("POST", "/", "the same connection"));
    expect_ok(&mut http);
}

#[test]
fn expect_100_continue_is_answered_at_once() {
    let stage = Stage::alone();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    let msg = "大".repeat(120_000); // over 1 MB when percent-encoded: where PHP's curl asks first
    let body = body(&msg);
    assert!(body.len() > 1024 * 1024);
    let mut http = server.http();
    let start = Instant::now();
    http.send(format!(
        "POST / HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        body.len()
    ));
    let interim = http
        .response_within(Duration::from_secs(5))
        .expect("100 Continue");
    let waited = start.elapsed();
    assert_eq!(interim.status, 100);
    assert!(
        waited < Duration::from_millis(300),
        "curl gives up waiting after a second; this took {waited:?}"
    );
    http.send(&body);
    expect_ok(&mut http);
    assert_eq!(device.push_msg(), msg);
}

#[test]
fn a_body_of_two_mib_passes() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    // The fill goes to a field of its own, and the whole body is exactly at the limit.
    let small = format!("{}&fill=", body("big"));
    let whole = format!("{small}{}", "x".repeat(TWO_MIB - small.len()));
    let response = server.http().post_form(&whole);
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    // A frame over the outbound bound of the connection is either delivered whole or ends it openly.
    match device.see() {
        heartline_e2e::Seen::Text(text) => assert!(text.len() > TWO_MIB - 200),
        heartline_e2e::Seen::Close(4002, _) => {}
        other => panic!("neither the message nor a reason: {other:?}"),
    }
}

#[test]
fn a_declared_body_over_two_mib_is_413_before_it_is_read() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut http = server.http();
    http.send(format!(
        "POST / HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: {}\r\n\r\nevent=",
        TWO_MIB + 1
    ));
    let response = http.response();
    assert_eq!(response.status, 413);
    assert!(!response.text().trim().is_empty(), "the reason is told");
}

#[test]
fn an_expectation_of_too_much_is_413_and_not_100() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut http = server.http();
    http.send(format!("POST / HTTP/1.1\r\nHost: x\r\n{FORM}Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n"));
    assert_eq!(http.response().status, 413);
}

#[test]
fn a_chunked_body_over_two_mib_is_413() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut http = server.http();
    http.send(format!(
        "POST / HTTP/1.1\r\nHost: x\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n"
    ));
    let piece = "x".repeat(64 * 1024);
    for _ in 0..33 {
        // The server may stop taking bytes as soon as it is sure.
        if http
            .try_send(format!("{:x}\r\n{piece}\r\n", piece.len()))
            .is_err()
        {
            break;
        }
    }
    let response = http.response();
    assert_eq!(response.status, 413);
    assert!(!response.text().trim().is_empty(), "the reason is told");
}

#[test]
fn a_body_without_a_content_type_is_read_as_a_form() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    let body = body("untyped");
    let mut http = server.http();
    http.send(format!(
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    let response = http.response();
    if response.status == 200 {
        assert_eq!(device.push_msg(), "untyped");
    } else {
        assert!((400..500).contains(&response.status) && !response.text().trim().is_empty());
    }
}

#[test]
fn healthz_says_that_the_server_is_well() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut http = server.http();
    http.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    let response = http.response();
    assert_eq!(response.status, 200);
    assert!(!response.text().is_empty());
}
