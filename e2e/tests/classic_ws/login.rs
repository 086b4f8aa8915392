//! Logging in: the one form that is accepted, and every other, each refused in words.

use heartline_e2e::{Peer, ROLE_KEY_USER, Stage, md5_hex, token_for};

fn refused(peer: &mut Peer, data: &str) {
    let reply = peer.request("login", data);
    assert_eq!(
        reply,
        (1, "出现错误,登录失败".to_owned()),
        "login with data {data}"
    );
    assert!(!peer.ping(), "not logged in after {data}");
}

#[test]
fn every_refusal_is_answered_and_the_next_login_may_succeed() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.peer();
    let token = token_for("user:6");
    let other_case = token.to_uppercase();
    assert_ne!(other_case, token, "the token of user:6 has a letter");
    for data in [
        "{}".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "1".to_owned(),
        "true".to_owned(),
        "\"user:6\"".to_owned(),
        r#"{"u":"user:6"}"#.to_owned(),
        format!(r#"{{"token":"{token}"}}"#),
        r#"{"u":"user:6","token":true}"#.to_owned(),
        r#"{"u":"user:6","token":0}"#.to_owned(),
        r#"{"u":"user:6","token":null}"#.to_owned(),
        r#"{"u":"user:6","token":""}"#.to_owned(),
        r#"{"u":"user:6","token":[]}"#.to_owned(),
        format!(r#"{{"u":"user:6","token":["{token}"]}}"#),
        format!(r#"{{"u":"user:6","token":{{"0":"{token}"}}}}"#),
        format!(r#"{{"u":["user:6"],"token":"{token}"}}"#),
        format!(r#"{{"u":["user","6"],"token":"{token}"}}"#),
        format!(r#"{{"u":{{"user":6}},"token":"{token}"}}"#),
        format!(r#"{{"u":6,"token":"{token}"}}"#),
        format!(r#"{{"u":null,"token":"{token}"}}"#),
        format!(r#"{{"u":"6","token":"{token}"}}"#),
        format!(r#"{{"u":"user6","token":"{token}"}}"#),
        format!(r#"{{"u":"xxx:6","token":"{token}"}}"#),
        format!(r#"{{"u":"admin:6","token":"{token}"}}"#),
        format!(r#"{{"u":"User:6","token":"{token}"}}"#),
        format!(r#"{{"u":" user:6","token":"{token}"}}"#),
        format!(r#"{{"u":":6","token":"{token}"}}"#),
        format!(r#"{{"u":"user:7","token":"{token}"}}"#),
        format!(r#"{{"u":"user:6","token":"{other_case}"}}"#),
        format!(r#"{{"u":"user:6","token":" {token}"}}"#),
        format!(r#"{{"u":"user:6","token":"{token}0"}}"#),
        format!(r#"{{"u":"user:6","token":"{}"}}"#, &token[..31]),
        format!(r#"{{"u":"user:6","token":"{}"}}"#, ROLE_KEY_USER),
        // The roles' loose comparison of old: two "0e…" hashes are not the same number here.
        r#"{"u":"user:6","token":"0e462097431906509019562988736854"}"#.to_owned(),
    ] {
        refused(&mut peer, &data);
    }
    peer.login("user:6");
    assert!(peer.ping());
}

#[test]
fn missing_data_is_answered_too() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.peer();
    peer.send(r#"{"event":"login","uuid":9}"#);
    assert_eq!(peer.reply_to("9"), (1, "出现错误,登录失败".to_owned()));
    assert!(!peer.ping());
}

#[test]
fn an_empty_id_never_logs_in_even_with_its_token() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let token = md5_hex(ROLE_KEY_USER);
    refused(
        &mut server.peer(),
        &format!(r#"{{"u":"user:","token":"{token}"}}"#),
    );
}

#[test]
fn the_id_is_all_that_follows_the_first_colon() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.peer();
    let token_of_3 = md5_hex(&format!("3{ROLE_KEY_USER}"));
    refused(
        &mut peer,
        &format!(r#"{{"u":"user:3:9","token":"{token_of_3}"}}"#),
    );
    let token_of_9 = md5_hex(&format!("9{ROLE_KEY_USER}"));
    refused(
        &mut peer,
        &format!(r#"{{"u":"user:3:9","token":"{token_of_9}"}}"#),
    );
    let token_of_all = md5_hex(&format!("3:9{ROLE_KEY_USER}"));
    let reply = peer.request(
        "login",
        &format!(r#"{{"u":"user:3:9","token":"{token_of_all}"}}"#),
    );
    assert_eq!(reply, (0, "登录成功".to_owned()));
    server.push_chat("user:3", "not yours");
    server.push_chat("user:3:9", "yours");
    assert_eq!(peer.push_msg(), "yours");
}

#[test]
fn each_role_has_its_own_key_and_its_own_users() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut user = server.device("user:6");
    let mut other = server.device("xxx:6");
    refused(
        &mut server.peer(),
        &format!(r#"{{"u":"xxx:6","token":"{}"}}"#, token_for("user:6")),
    );
    server.push_chat("xxx:6", "for xxx");
    server.push_chat("user:6", "for user");
    assert_eq!(user.push_msg(), "for user");
    assert_eq!(other.push_msg(), "for xxx");
}

#[test]
fn a_refused_login_of_a_logged_in_connection_leaves_it_who_it_was() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut peer = server.device("user:6");
    assert_eq!(peer.try_login("user:7", "\"wrong\"").0, 1);
    server.push_chat("user:7", "not yours");
    server.push_chat("user:6", "yours");
    assert_eq!(
        peer.push_msg(),
        "yours",
        "who one is changes by a token only"
    );
}
