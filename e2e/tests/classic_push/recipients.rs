//! Who gets a push: every form of `to`, each user once, ids compared whole.

use std::time::Duration;

use heartline_e2e::{Peer, Response, Server, Stage, multipart_body};

/// Devices of the users 1, 2, 11 and `1:1`.
fn devices(server: &Server) -> [Peer; 4] {
    ["user:1", "user:2", "user:11", "user:1:1"].map(|user| server.device(user))
}

fn push_to(server: &Server, to: &[(&str, &str)], msg: &str) -> Response {
    let fields = [&[("event", "chat1"), ("msg", msg), ("type", "app")], to].concat();
    server.push(&fields)
}

/// Pushes, and asserts that exactly the users at these places in `devices` get it, once each.
fn check(to: &[(&str, &str)], receivers: &[usize]) {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut devices = devices(&server);
    let response = push_to(&server, to, "this");
    assert_eq!(
        (response.status, response.text().as_str()),
        (200, "ok"),
        "{to:?}"
    );
    // What each device sees before the message that all get is what the push gave it.
    push_to(&server, &[("to", "user:1,user:2,user:11,user:1:1")], "end");
    for (place, device) in devices.iter_mut().enumerate() {
        let mut seen = Vec::new();
        loop {
            let msg = device.push_msg();
            if msg == "end" {
                break;
            }
            seen.push(msg);
        }
        let wanted = usize::from(receivers.contains(&place));
        assert_eq!(seen.len(), wanted, "to {to:?}: device {place} saw {seen:?}");
    }
}

#[test]
fn one_user_by_a_whole_id() {
    check(&[("to", "user:1")], &[0]);
    check(&[("to", "user:11")], &[2]);
    check(&[("to", "user:1:1")], &[3]);
    check(&[("to", "user:111")], &[]);
    check(&[("to", "xxx:1")], &[]);
}

#[test]
fn a_comma_list_with_stray_commas_and_spaces() {
    check(&[("to", "user:1,user:2")], &[0, 1]);
    check(&[("to", ",, user:1 ,,user:2 , ")], &[0, 1]);
}

#[test]
fn each_may_carry_the_prefix_online() {
    check(&[("to", "online:user:1")], &[0]);
    check(
        &[("to", "online:user:1, user:2,online:user:11")],
        &[0, 1, 2],
    );
}

#[test]
fn a_user_named_twice_receives_once() {
    check(&[("to", "user:1,user:1")], &[0]);
    check(&[("to", "user:1,online:user:1, user:1")], &[0]);
    check(
        &[
            ("to[0]", "user:1"),
            ("to[1]", "online:user:1"),
            ("to[2]", "user:2"),
        ],
        &[0, 1],
    );
}

#[test]
fn php_form_arrays_in_each_spelling() {
    check(&[("to[0]", "user:1"), ("to[1]", "user:2")], &[0, 1]);
    check(&[("to[]", "user:1"), ("to[]", "user:11")], &[0, 2]);
    check(
        &[("to[a]", "user:1"), ("to[7]", "online:user:1:1")],
        &[0, 3],
    );
    check(&[("to[0]", "user:1"), ("to[1]", "")], &[0]);
}

#[test]
fn an_array_in_a_multipart_body_is_the_same_array() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut devices = devices(&server);
    let fields = [
        ("to[0]", "user:1"),
        ("to[1]", "user:2"),
        ("event", "chat1"),
        ("msg", "m"),
        ("type", "app"),
    ];
    let (content_type, body) = multipart_body(&fields);
    let response = server.http().post(&content_type, &body, "");
    assert_eq!((response.status, response.text().as_str()), (200, "ok"));
    let frame = r#"{"to":["user:1","user:2"],"event":"chat1","msg":"m","type":"app"}"#;
    assert_eq!(devices[0].text(), frame);
    assert_eq!(devices[1].text(), frame);
    devices[2].expect_silence(Duration::from_millis(100));
}

#[test]
fn a_user_without_a_connection_is_ok() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    server.push_chat("user:404", "nobody");
    server.push_chat("unknown-role:1", "nobody either");
}

#[test]
fn ids_are_text_of_any_kind() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    for id in ["01", "1", "+1", "1.0", "张三", "a-b_c@d.e", "user"] {
        let user = format!("user:{id}");
        let mut device = server.device(&user);
        server.push_chat(&user, "yours");
        assert_eq!(device.push_msg(), "yours");
        device.expect_silence(Duration::from_millis(20));
    }
}
