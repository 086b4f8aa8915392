//! Which events may be pushed: exactly `user_tabbar`, and any that begin with `chat`; and how the server says no.

use std::time::Duration;

use heartline_e2e::{Response, Server, Stage};

fn push_event(server: &Server, event: &str) -> Response {
    server.push(&[
        ("event", event),
        ("msg", event),
        ("to", "user:1"),
        ("type", "app"),
    ])
}

#[test]
fn the_default_events_pass_and_all_others_are_answered_fail() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut device = server.device("user:1");
    for event in [
        "Chat1",
        "CHAT",
        " chat1",
        "user_tabbar1",
        "User_tabbar",
        "user_tabba",
        "xuser_tabbar",
        "cha",
        "login",
        "通知",
        "app",
    ] {
        let response = push_event(&server, event);
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "fail"),
            "event {event:?}"
        );
    }
    device.expect_silence(Duration::from_millis(100));
    for event in [
        "user_tabbar",
        "chat",
        "chat1",
        "chat_123",
        "chatter",
        "chat聊天",
    ] {
        let response = push_event(&server, event);
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "ok"),
            "event {event:?}"
        );
        assert_eq!(device.push_msg(), event);
    }
}

#[test]
fn both_answers_are_plain_to_the_last_header() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    for (event, body) in [("chat1", "ok"), ("other", "fail")] {
        let response = push_event(&server, event);
        assert_eq!(response.status, 200);
        assert_eq!(response.text(), body, "no newline, nothing else");
        let content_type = response.header("content-type").expect("a content type");
        assert!(
            content_type == "text/html" || content_type.starts_with("text/html;"),
            "{content_type}"
        );
        assert_eq!(
            response.header("content-length"),
            Some(body.len().to_string().as_str())
        );
        assert_eq!(response.header("transfer-encoding"), None);
        let connection = response.header("connection").unwrap_or("keep-alive");
        assert!(
            connection.eq_ignore_ascii_case("keep-alive"),
            "connection: {connection}"
        );
    }
}
