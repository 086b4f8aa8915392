//! Many devices of one user, and one device of several users in turn.

use std::time::Duration;

use heartline_e2e::{Opcode, Seen, Stage};

#[test]
fn all_connections_of_a_user_receive() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut devices: Vec<_> = (0..20).map(|_| server.device("user:6")).collect();
    let mut stranger = server.device("user:66");
    let mut nobody = server.peer();
    server.push_chat("user:6", "to all");
    for device in &mut devices {
        assert_eq!(device.push_msg(), "to all");
    }
    stranger.expect_silence(Duration::from_millis(150));
    nobody.expect_silence(Duration::from_millis(50));
}

#[test]
fn a_connection_that_never_logged_in_receives_nothing() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.peer();
    peer.try_login("user:6", "\"wrong\"");
    server.push_chat("user:6", "secret");
    peer.expect_silence(Duration::from_millis(150));
}

#[test]
fn logging_in_twice_as_the_same_user_still_receives_once() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    peer.login("user:6");
    peer.login("user:6");
    server.push_chat("user:6", "one");
    server.push_chat("user:6", "two");
    assert_eq!(peer.push_msg(), "one");
    assert_eq!(peer.push_msg(), "two");
    peer.expect_silence(Duration::from_millis(100));
}

#[test]
fn a_connection_that_logs_in_as_another_belongs_to_the_new_user_only() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    peer.login("user:7");
    server.push_chat("user:6", "for the former");
    server.push_chat("user:7", "for the new");
    assert_eq!(peer.push_msg(), "for the new");
    peer.login("user:6");
    server.push_chat("user:7", "for the former");
    server.push_chat("user:6", "for the returned");
    assert_eq!(peer.push_msg(), "for the returned");
    peer.expect_silence(Duration::from_millis(100));
}

#[test]
fn a_push_after_the_reply_to_a_login_is_never_missed() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    for round in 0..100 {
        let user = format!("user:{round}");
        let mut peer = server.device(&user);
        server.push_chat(&user, &format!("\"{round}\""));
        assert_eq!(peer.push_msg(), round.to_string());
    }
}

#[test]
fn a_device_that_left_takes_nothing_from_those_that_stay() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut stays = server.device("user:6");
    let mut leaves = server.device("user:6");
    leaves.send_frame(true, Opcode::Close, &1000_u16.to_be_bytes());
    assert!(matches!(leaves.see(), Seen::Close(1000, _)));
    let vanishes = server.device("user:6");
    drop(vanishes);
    for number in 0..50 {
        server.push_chat("user:6", &number.to_string());
        assert_eq!(stays.push_msg(), number);
    }
}
