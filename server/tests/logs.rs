//! What the log tells an operator about connections: who, why, how many; and nothing that is
//! secret.

mod support;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use heartline_protocol::classic_token;
use rustix::process::Signal;
use serde_json::Value;
use support::binary::Serving;
use support::eventually;
use support::websocket::WebSocket;

/// The lines of this event.
fn lines(server: &Serving, event: &str) -> Vec<Value> {
    let stderr = server.stderr();
    let lines = stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")));
    lines
        .filter(|line: &Value| line["event"] == event)
        .collect()
}

/// Waits until there are so many lines of this event.
#[track_caller]
fn wait(server: &Serving, event: &str, count: usize) -> Vec<Value> {
    let look = || lines(server, event);
    eventually(event, Duration::from_secs(10), look, |lines| {
        lines.len() >= count
    });
    lines(server, event)
}

fn refused(socket: &mut WebSocket, data: &str) {
    socket.send(&format!(
        r#"{{"event":"login","data":{data},"uuid":"refused"}}"#
    ));
    socket.expect("登录失败");
}

#[test]
fn a_refused_login_names_the_user_and_why_and_the_next_ones_are_counted() {
    let server = Serving::classic(&["--log-format", "json"]);
    let mut socket = WebSocket::open(server.address);
    let token = classic_token("6", "K");
    refused(&mut socket, r#"{"u":"user:6","token":"wrong"}"#);
    let first = &wait(&server, "login_refused", 1)[0];
    assert_eq!(first["user"], "user:6", "{first}");
    assert_eq!(first["role"], "user", "{first}");
    assert_eq!(first["reason"], "the token does not match", "{first}");
    assert!(
        first["connection"].is_u64() && first.get("address").is_none(),
        "{first}"
    );
    // Nobody comes after these two: their number is told all the same.
    refused(&mut socket, r#"{"u":"admin:6","token":"wrong"}"#);
    refused(
        &mut socket,
        &format!(r#"{{"u":"{token}","token":"user:6"}}"#),
    );
    let all = wait(&server, "login_refused", 2);
    let told: u64 = all
        .iter()
        .map(|line| 1 + line["suppressed"].as_u64().unwrap())
        .sum();
    // The last line has no login of its own unless a second passed between them.
    let (last, own) = (
        &all[all.len() - 1],
        all.iter().filter(|line| line["reason"].is_string()),
    );
    let own = own.count();
    let suppressed = told - all.len() as u64;
    assert_eq!(own as u64 + suppressed, 3, "{all:?}");
    assert_eq!(last["total"], 3, "{last}");
    assert!(!server.stderr().contains(&token), "{}", server.stderr());
}

#[test]
fn a_login_as_whom_no_push_could_name_is_refused_and_the_log_says_why() {
    for (id, reason) in [
        ("6 ", "a user cannot begin or end with white space"),
        ("a,b", "a user cannot hold a comma: it separates recipients"),
    ] {
        let server = Serving::classic(&["--log-format", "json"]);
        let mut socket = WebSocket::open(server.address);
        let token = classic_token(id, "K");
        refused(
            &mut socket,
            &format!(r#"{{"u":"user:{id}","token":"{token}"}}"#),
        );
        let line = &wait(&server, "login_refused", 1)[0];
        assert_eq!(line["user"], format!("user:{id}"), "{line}");
        let told = line["reason"].as_str().unwrap();
        assert_eq!(told, format!("`u` is not a user, ROLE:ID: {reason}"));
    }
}

#[test]
fn what_a_stranger_writes_is_escaped_and_cut() {
    let server = Serving::classic(&["--log-addresses"]);
    let mut socket = WebSocket::open(server.address);
    let user = format!("user:\\u001b[31m\\n\\u0000FORGED{}", "x".repeat(1_000));
    refused(&mut socket, &format!(r#"{{"u":"{user}","token":"wrong"}}"#));
    let is_told = |text: &String| text.contains("login_refused");
    eventually("told", Duration::from_secs(5), || server.stderr(), is_told);
    let stderr = server.stderr();
    let line = stderr
        .lines()
        .find(|line| line.contains("login_refused"))
        .expect("a line");
    assert!(
        line.contains("FORGED") && line.contains("address=127.0.0.1:"),
        "{line}"
    );
    assert!(
        line.chars().all(|char| !char.is_control()) && line.len() < 500,
        "{line:?}"
    );
}

#[test]
fn logins_and_ends_are_logged_when_asked_for_and_only_then() {
    let server = Serving::classic(&[
        "--log-format",
        "json",
        "--log-connections",
        "--log-addresses",
    ]);
    let mut leaves = WebSocket::open(server.address);
    leaves.login("user:6", "K");
    drop(leaves);
    let says_nothing = WebSocket::open(server.address);
    drop(says_nothing);
    let ends = wait(&server, "disconnected", 2);
    let login = &wait(&server, "logged_in", 1)[0];
    assert_eq!(login["user"], "user:6", "{login}");
    assert!(
        login["address"].as_str().unwrap().starts_with("127.0.0.1:"),
        "{login}"
    );
    let end = ends
        .iter()
        .find(|end| end["user"] == "user:6")
        .expect("its end");
    assert_eq!(end["connection"], login["connection"], "{end}");
    assert!(end["life_ms"].is_u64(), "{end}");
    let reason = end["reason"].as_str().unwrap();
    assert!(reason.starts_with("lost: "), "{reason}");
    assert!(ends.iter().any(|end| end.get("user").is_none()), "{ends:?}");

    let mut stays = WebSocket::open(server.address);
    stays.login("user:7", "K");
    server.signal(Signal::TERM);
    let ends = wait(&server, "disconnected", 3);
    let end = ends
        .iter()
        .find(|end| end["user"] == "user:7")
        .expect("its end");
    assert_eq!(end["reason"], "closed by the server: 4005 Drain", "{end}");

    let silent = Serving::classic(&["--log-format", "json"]);
    let mut socket = WebSocket::open(silent.address);
    socket.login("user:6", "K");
    drop(socket);
    silent.signal(Signal::TERM);
    let is_over = |text: &String| text.contains("stopped");
    eventually("over", Duration::from_secs(10), || silent.stderr(), is_over);
    assert!(lines(&silent, "logged_in").is_empty() && lines(&silent, "disconnected").is_empty());
}

#[test]
fn a_connection_that_is_closed_for_a_fault_is_named() {
    let server = Serving::classic(&[
        "--log-format",
        "json",
        "--max-message-bytes",
        "200",
        "--max-connections-per-user",
        "1",
    ]);
    let mut phone = WebSocket::open(server.address);
    phone.login("user:6", "K");
    let mut tablet = WebSocket::open(server.address);
    let token = classic_token("6", "K");
    tablet.send(&format!(
        r#"{{"event":"login","data":{{"u":"user:6","token":"{token}"}},"uuid":"b"}}"#
    ));
    let line = &wait(&server, "too_many_of_user", 1)[0];
    assert_eq!(
        (&line["user"], &line["limit"]),
        (&"user:6".into(), &1.into()),
        "{line}"
    );
    phone.send(&"x".repeat(300));
    let detail = wait(&server, "too_big", 1)[0]["detail"].clone();
    let detail = detail.as_str().unwrap();
    assert!(detail.ends_with(r#" of "user:6" is closed"#), "{detail}");
}

#[test]
fn a_refused_push_is_logged_with_its_reason_and_where_it_came_from() {
    let server = Serving::classic(&["--log-format", "json"]);
    let body = "event=chat1&msg=x&to=user:1&to=user:2";
    let request = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(server.address).expect("a connection");
    socket
        .write_all(request.as_bytes())
        .expect("the request leaves");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let line = &wait(&server, "push_refused", 1)[0];
    let detail = line["detail"].as_str().unwrap_or_default();
    assert!(
        detail.starts_with("400: field `to` is there more than once"),
        "{line}"
    );
    assert!(detail.ends_with("(from 127.0.0.1)"), "{line}");
}
