//! Who may push: a key; and loopback, where it is asked for, until the first sign of a proxy.

use std::time::Duration;

use heartline_e2e::{Response, Server, Stage, eventually, form_body};

const FORM: &str = "application/x-www-form-urlencoded";

fn push_with(server: &Server, headers: &str) -> Response {
    let body = form_body(&[
        ("event", "chat1"),
        ("msg", "m"),
        ("to", "user:1"),
        ("type", "app"),
    ]);
    server.http().post(FORM, body.as_bytes(), headers)
}

fn refused(response: &Response, what: &str) {
    assert!(
        matches!(response.status, 401 | 403),
        "{what}: status {}",
        response.status
    );
    assert!(
        !response.text().trim().is_empty(),
        "{what}: refused without a reason"
    );
}

#[test]
fn a_forwarded_push_needs_a_key_even_from_loopback_and_so_does_every_later_one() {
    let stage = Stage::shared();
    for header in [
        "X-Forwarded-For: 127.0.0.1",
        "X-Real-IP:",
        "Host: app.example.com",
    ] {
        let server = stage.server(&[]);
        let mut device = server.device("user:1");
        let local = "User-Agent: Symfony HttpClient\r\n";
        assert_eq!(push_with(&server, local).text(), "ok");
        assert_eq!(device.push_msg(), "m");
        refused(&push_with(&server, &format!("{header}\r\n")), header);
        refused(
            &push_with(&server, local),
            "after the first sign of a proxy",
        );
        device.expect_silence(Duration::from_millis(100));
        eventually(
            "the log names the remedies",
            Duration::from_secs(10),
            true,
            || {
                let logged = server.stderr();
                logged.contains("--push-key") && logged.contains("--push-listen")
            },
        );
    }
}

#[test]
fn a_key_opens_the_door_and_a_wrong_one_does_not() {
    let stage = Stage::shared();
    let server = stage.server(&["--push-key", "a-long-push-key-0123456789"]);
    let mut device = server.device("user:1");
    for wrong in [
        "a-long-push-key-012345678",
        "a-long-push-key-01234567890",
        "A-LONG-PUSH-KEY-0123456789",
    ] {
        refused(
            &push_with(&server, &format!("Authorization: Bearer {wrong}\r\n")),
            wrong,
        );
    }
    device.expect_silence(Duration::from_millis(100));
    let key = "Authorization: Bearer a-long-push-key-0123456789\r\n";
    assert_eq!(push_with(&server, key).text(), "ok");
    assert_eq!(
        push_with(&server, &format!("{key}X-Forwarded-For: 203.0.113.9\r\n")).text(),
        "ok"
    );
    assert_eq!(device.push_msg(), "m");
    assert_eq!(device.push_msg(), "m");
}

#[test]
fn without_a_key_nobody_pushes_unless_it_is_asked_for() {
    let stage = Stage::shared();
    let server = stage.server(&[
        "--push-key",
        "a-long-push-key-0123456789",
        "--no-loopback-push",
    ]);
    let mut device = server.device("user:1");
    refused(&push_with(&server, ""), "without a key");
    refused(
        &push_with(&server, "Authorization: Bearer \r\n"),
        "an empty key",
    );
    refused(
        &push_with(&server, "Authorization: Basic YTpi\r\n"),
        "another scheme",
    );
    assert_eq!(
        push_with(
            &server,
            "Authorization: Bearer a-long-push-key-0123456789\r\n"
        )
        .text(),
        "ok"
    );
    assert_eq!(device.push_msg(), "m");
}

#[test]
fn secrets_never_reach_the_logs() {
    let stage = Stage::shared();
    let server = stage.server(&["--push-key", "a-long-push-key-0123456789"]);
    push_with(&server, "Authorization: Bearer a-wrong-key-9876543210\r\n");
    push_with(
        &server,
        "Authorization: Bearer a-long-push-key-0123456789\r\n",
    );
    let mut device = server.device("user:1");
    device.try_login("user:1", "\"a-wrong-token-1122334455\"");
    drop(device);
    std::thread::sleep(Duration::from_millis(200));
    let printed = server.stdout() + &server.stderr();
    let token = heartline_e2e::token_for("user:1");
    for secret in [
        "a-long-push-key",
        "a-wrong-key",
        heartline_e2e::ROLE_KEY_USER,
        "a-wrong-token",
        &token,
    ] {
        assert!(
            !printed.contains(secret),
            "{secret} is in the logs:\n{printed}"
        );
    }
}
