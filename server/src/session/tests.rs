//! Stories of one conversation.

use super::*;
use heartline_protocol::{classic_token, encode_respon};

fn timing() -> Timing {
    crate::config::Config::default().timing
}

/// The session's answer to one frame, carried out as the shard would with every login registered.
fn say(session: &mut Session, frame: &str) -> String {
    let roles = [("user".to_owned(), crate::config::Secret::new("K"))].into();
    let step = session.receive(frame.as_bytes(), |data| {
        crate::auth::classic_login(&roles, data.map(RawValue::get))
    });
    let reply = match step {
        Step::Ignored => return "(ignored)".to_owned(),
        Step::Oversized => return "(too big)".to_owned(),
        Step::Silent => return String::new(),
        Step::Reply(reply) | Step::Alive(reply) => reply,
        Step::Login { user, uuid, .. } => {
            session.logged_in(user);
            Reply::login_accepted(uuid)
        }
        Step::Ask { uuid, .. } => Reply::unknown_event(uuid),
        Step::Ack(acks) => return format!("ack {acks:?}"),
        Step::Parked(is_parked) => return format!("parked {is_parked}"),
    };
    encode_respon(reply.uuid, reply.error, reply.body)
}

fn login(id: &str) -> String {
    format!(
        r#"{{"event":"login","data":{{"u":"user:{id}","token":"{}"}},"uuid":1700000000001}}"#,
        classic_token(id, "K")
    )
}

#[test]
fn a_login_is_answered_to_the_letter() {
    let mut session = Session::new(0, &timing());
    assert_eq!(
        say(&mut session, &login("6")),
        r#"{"type":"respon","event":1700000000001,"data":{"error":0,"body":"登录成功"}}"#
    );
    assert_eq!(session.user().unwrap().as_str(), "user:6");
    say(&mut session, &login("7:8"));
    assert_eq!(
        session.user().unwrap().as_str(),
        "user:7:8",
        "another login on the same connection"
    );
}

#[test]
fn every_bad_login_is_refused_with_an_answer_and_keeps_the_former_user() {
    let mut session = Session::new(0, &timing());
    say(&mut session, &login("6"));
    for data in [
        "",
        r#""data":7,"#,
        r#""data":{"u":["user:6"],"token":"x"},"#,
        r#""data":{"u":"user:6","token":true},"#,
    ] {
        assert_eq!(
            say(
                &mut session,
                &format!(r#"{{"event":"login",{data}"uuid":"a"}}"#)
            ),
            r#"{"type":"respon","event":"a","data":{"error":1,"body":"出现错误,登录失败"}}"#,
        );
    }
    assert_eq!(session.user().unwrap().as_str(), "user:6");
}

#[test]
fn a_ping_tells_whether_the_connection_is_logged_in() {
    let mut session = Session::new(0, &timing());
    let ping = r#"{"event":"ping","data":{},"uuid":1.10}"#;
    assert_eq!(
        say(&mut session, ping),
        r#"{"type":"respon","event":1.10,"data":{"error":1,"body":"PING检查连接不可用"}}"#
    );
    say(&mut session, &login("6"));
    assert_eq!(
        say(&mut session, ping),
        r#"{"type":"respon","event":1.10,"data":{"error":0,"body":"PING检查连接可用"}}"#
    );
}

#[test]
fn what_expects_an_answer_gets_one_and_what_does_not_gets_none() {
    let mut session = Session::new(0, &timing());
    assert_eq!(say(&mut session, r#"{"event":"response","uuid":3}"#), "");
    for frame in [
        r#"{"event":"buy","uuid":[1]}"#,
        r#"{"event":7,"uuid":[1]}"#,
        r#"{"uuid":[1]}"#,
    ] {
        let answer = say(&mut session, frame);
        assert!(
            answer.starts_with(r#"{"type":"respon","event":[1],"data":{"error":1,"body":"#),
            "{answer}"
        );
    }
    let long = "x".repeat(MAX_UUID_BYTES);
    assert_eq!(
        say(
            &mut session,
            &format!(r#"{{"event":"response","uuid":"{long}"}}"#)
        ),
        "(too big)"
    );
    for noise in ["", "hello", "[1]", "7", "null", "\"x\"", "{"] {
        assert_eq!(say(&mut session, noise), "(ignored)", "{noise}");
    }
}

#[test]
fn time_asks_for_pings_and_then_for_the_end() {
    let mut session = Session::new(0, &timing());
    assert_eq!(session.due(19_999, &timing()), None);
    assert_eq!(session.due(20_000, &timing()), Some(Due::Ping));
    assert_eq!(session.due(20_001, &timing()), None);
    assert_eq!(session.due(40_000, &timing()), Some(Due::Ping));
    session.heard(50_000);
    assert_eq!(session.due(60_000, &timing()), Some(Due::Ping));
    assert_eq!(session.due(109_999, &timing()), Some(Due::Ping));
    assert_eq!(
        session.due(110_000, &timing()),
        Some(Due::Close(CloseCode::Idle))
    );
}

#[test]
fn a_connection_that_talks_but_never_logs_in_meets_the_deadline() {
    let mut session = Session::new(0, &timing());
    session.heard(119_000);
    assert_eq!(session.due(119_999, &timing()), Some(Due::Ping));
    assert_eq!(
        session.due(120_000, &timing()),
        Some(Due::Close(CloseCode::LoginDeadline))
    );
    say(&mut session, &login("6"));
    assert_eq!(session.due(120_000, &timing()), None);
}

#[test]
fn a_burst_is_allowed_and_a_flood_is_not() {
    let limits = ServerLimits {
        frames_per_second: 10,
        frame_burst: 5,
        ..crate::config::Config::default().limits
    };
    let mut session = Session::new(0, &timing());
    let allowed = |session: &mut Session, now_ms: u64| session.may_send(now_ms * 1000, 1, &limits);
    assert!((0..5).all(|_| allowed(&mut session, 1_000)), "the burst");
    assert!(!allowed(&mut session, 1_000));
    assert!(
        (0..100).all(|tick| allowed(&mut session, 3_000 + tick * 100)),
        "the long run"
    );
    let heavy = |session: &mut Session, now_ms: u64| session.may_send(now_ms * 1000, 99, &limits);
    assert!(heavy(&mut session, 60_000), "one alone is let through");
    assert!(!heavy(&mut session, 60_000), "and takes the whole burst");
}

#[test]
fn found_logins_are_bounded_far_below_frames() {
    let limits = crate::config::Config::default().limits;
    let mut session = Session::new(0, &timing());
    let mut log_in =
        |now_us: u64| session.may_send(now_us, 1, &limits) && session.may_log_in(now_us, &limits);
    let burst = (0..1_000).take_while(|_| log_in(1_000_000)).count() as u64;
    assert!(
        (LOGINS_PER_BURST..=LOGINS_PER_BURST + 1).contains(&burst),
        "{burst}"
    );
    let later = (0..1_000)
        .filter(|tick| log_in(61_000_000 + tick * 250_000))
        .count();
    assert_eq!(later, 1_000, "four per second in the long run");

    // Where few frames are allowed, a login is one of them.
    let few = ServerLimits {
        frame_burst: 3,
        ..limits
    };
    let mut session = Session::new(0, &timing());
    assert!((0..3).all(|_| session.may_send(0, 1, &few) && session.may_log_in(0, &few)));
}
