//! Holds this crate to `protocol/vectors/*.json`, case by case. Other languages read the same files.

mod reader;

use heartline_protocol::*;
use reader::{cases, input_bytes, raw, text};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// `{event, data, uuid}` against the expectation, which may give a length instead of a long text.
fn compare(expected: &Value, found: &[(&str, Option<&str>)], case: &str) {
    for (field, found) in found {
        match expected.get(format!("{field}_length")) {
            Some(length) => {
                let found = found.map(str::len).map(|n| n as u64);
                assert_eq!(found, length.as_u64(), "{case}: {field}_length");
            }
            None => assert_eq!(*found, text(&expected[field]), "{case}: {field}"),
        }
    }
}

fn decode_error(error: DecodeError) -> &'static str {
    match error {
        DecodeError::NotUtf8 => "not-utf8",
        DecodeError::NotJson => "not-json",
        DecodeError::NotAnObject => "not-an-object",
    }
}

#[test]
fn client_frames() {
    for case in cases("client-frames.json", 70) {
        let bytes = input_bytes(&case.json["input"]);
        let expected = &case.json["expect"];
        match decode_client(&bytes) {
            Ok(frame) => {
                assert!(expected.get("error").is_none(), "{}: decoded", case.name);
                let found = [
                    ("event", frame.event.as_deref()),
                    ("data", frame.data.map(RawValue::get)),
                    ("uuid", frame.uuid.map(RawValue::get)),
                ];
                compare(expected, &found, &case.name);
            }
            Err(error) => {
                assert_eq!(
                    Some(decode_error(error)),
                    text(&expected["error"]),
                    "{}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn server_frames() {
    for case in cases("server-frames.json", 40) {
        let bytes = input_bytes(&case.json["input"]);
        let expected = &case.json["expect"];
        let name = &case.name;
        let kind = text(&expected["kind"]);
        match decode_server(&bytes) {
            Ok(ServerFrame::Respon { event, ok, data }) => {
                assert_eq!(kind, Some("respon"), "{name}");
                assert_eq!(expected["ok"], json!(ok), "{name}");
                let found = [("event", Some(event.get())), ("data", Some(data.get()))];
                compare(expected, &found, name);
            }
            Ok(ServerFrame::Ping { uuid }) => {
                assert_eq!(kind, Some("ping"), "{name}");
                compare(expected, &[("uuid", Some(uuid.get()))], name);
            }
            Ok(ServerFrame::Push { event, whole, .. }) => {
                assert_eq!(kind, Some("push"), "{name}");
                compare(
                    expected,
                    &[("event", Some(&event)), ("whole", Some(whole.get()))],
                    name,
                );
            }
            Ok(ServerFrame::Other) => assert_eq!(kind, Some("other"), "{name}"),
            Ok(other) => panic!("{name}: {other:?}"),
            Err(error) => assert_eq!(
                Some(decode_error(error)),
                text(&expected["error"]),
                "{name}"
            ),
        }
    }
}

#[test]
fn durable() {
    for case in cases("durable.json", 15) {
        let bytes = input_bytes(&case.json["input"]);
        let (text, frame) = (
            std::str::from_utf8(&bytes).expect("text"),
            decode_server(&bytes),
        );
        let spelled = |epoch: u64| format!("{epoch:016x}");
        let found = match frame.expect("an object") {
            ServerFrame::Attached {
                stream,
                epoch,
                offset,
            } => {
                assert_eq!(
                    encode_attached(&stream, epoch, offset),
                    text,
                    "{}",
                    case.name
                );
                json!({"kind": "attached", "stream": stream, "epoch": spelled(epoch), "offset": offset})
            }
            ServerFrame::Gap {
                stream,
                epoch,
                from,
                to,
                reason,
            } => {
                assert_eq!(
                    encode_gap(&stream, epoch, from, to, reason),
                    text,
                    "{}",
                    case.name
                );
                json!({"kind": "gap", "stream": stream, "epoch": spelled(epoch), "from": from, "to": to, "reason": reason.as_str()})
            }
            ServerFrame::Push {
                event, place: None, ..
            } => json!({"kind": "push", "event": event}),
            ServerFrame::Push {
                event,
                place: Some((stream, offset)),
                ..
            } => {
                json!({"kind": "push", "event": event, "stream": stream, "offset": offset})
            }
            ServerFrame::Other => json!({"kind": "other"}),
            other => panic!("{}: {other:?}", case.name),
        };
        assert_eq!(found, case.json["expect"], "{}", case.name);
    }
}

#[test]
fn encode() {
    for case in cases("encode.json", 14) {
        let json = &case.json;
        let field =
            |name: &str| text(&json[name]).unwrap_or_else(|| panic!("{}: {name}", case.name));
        let wire = match field("call") {
            "respon" => {
                let error = json["error"].as_u64().expect("error") as u32;
                encode_respon(raw(&json["uuid"]), error, field("body"))
            }
            "ping" => encode_ping(json["n"].as_u64().expect("n")),
            "request" => encode_request(field("event"), raw(&json["data"]), field("uuid")),
            "response" => encode_response(raw(&json["uuid"]).expect("uuid")),
            "login-data" => encode_login_data(field("u"), field("token"))
                .get()
                .to_owned(),
            other => panic!("{}: unknown call {other}", case.name),
        };
        assert_eq!(wire, field("wire"), "{}", case.name);
    }
}

#[test]
fn push_forms() {
    for case in cases("push-forms.json", 75) {
        let pairs = case.json["pairs"]
            .as_array()
            .expect("pairs")
            .iter()
            .map(|pair| {
                let part = |at: usize| match &pair[at] {
                    Value::String(text) => text.clone().into_bytes(),
                    hex => input_bytes(hex),
                };
                (part(0), part(1))
            });
        check_push(PushForm::from_pairs(pairs, &Limits::default()), &case);
    }
}

#[test]
fn push_json() {
    for case in cases("push-json.json", 40) {
        let bytes = input_bytes(&case.json["input"]);
        check_push(decode_push_json(&bytes, &Limits::default()), &case);
    }
}

fn check_push(found: Result<PushForm, PushError>, case: &reader::Case) {
    let (expected, name) = (&case.json["expect"], &case.name);
    match found {
        Ok(form) => {
            assert_eq!(text(&expected["event"]), Some(form.event()), "{name}");
            assert_eq!(text(&expected["frame"]), Some(form.frame()), "{name}");
            let to: Vec<&str> = form.recipients().iter().map(User::as_str).collect();
            assert_eq!(expected["to"], json!(to), "{name}");
        }
        Err(error) => {
            let word = match &error {
                PushError::NotUtf8 { field } => format!("not-utf8 {field}"),
                PushError::NotJson => "not-json".into(),
                PushError::NotAnObject => "not-an-object".into(),
                PushError::Missing { field } => format!("missing {field}"),
                PushError::Shape { field, .. } => format!("shape {field}"),
                PushError::Reserved { field } => format!("reserved {field}"),
                PushError::ReservedType => "reserved type".into(),
                PushError::Repeated { field } => format!("repeated {field}"),
                PushError::LoneSurrogate { field } => format!("lone surrogate {field}"),
                PushError::NumberTooLarge { field } => format!("number too large {field}"),
                PushError::NoRecipient => "no recipient".into(),
                PushError::TooDeep { .. } => "too-deep".into(),
                PushError::EventTooLong { .. } => "event-too-long".into(),
                other => panic!("{name}: {other}"),
            };
            assert_eq!(
                text(&expected["error"]),
                Some(word.as_str()),
                "{name}: {error}"
            );
            assert!((400..500).contains(&error.status()), "{name}");
        }
    }
}

#[test]
fn tokens() {
    for case in cases("tokens.json", 8) {
        let field = |name: &str| text(&case.json[name]).expect("a text");
        let (id, key, token) = (field("id"), field("key"), field("token"));
        assert_eq!(classic_token(id, key), token, "{}", case.name);
        assert!(verify_classic_token(id, key, token), "{}", case.name);
        for wrong in case.json["refused"].as_array().expect("refused") {
            let wrong = text(wrong).expect("a text");
            assert!(
                !verify_classic_token(id, key, wrong),
                "{}: {wrong}",
                case.name
            );
        }
    }
}

#[test]
fn users() {
    for case in cases("users.json", 14) {
        let found = match User::parse(text(&case.json["text"]).expect("text")) {
            Ok(user) => json!({"role": user.role(), "id": user.id()}),
            Err(error) => json!({"error": user_error(error)}),
        };
        assert_eq!(found, case.json["expect"], "{}", case.name);
    }
}

#[test]
fn logins() {
    for case in cases("logins.json", 15) {
        let found = match Login::decode(raw(&case.json["data"])) {
            Ok(login) => json!({"u": login.user.as_str(), "token": login.token}),
            Err(error) => json!({"error": match error {
                LoginError::NoData => "no-data",
                LoginError::DataNotAnObject => "data-not-an-object",
                LoginError::UserNotAString => "user-not-a-string",
                LoginError::TokenNotAString => "token-not-a-string",
                LoginError::User(error) => user_error(error),
            }}),
        };
        assert_eq!(found, case.json["expect"], "{}", case.name);
    }
}

fn user_error(error: UserError) -> &'static str {
    match error {
        UserError::NoColon => "no-colon",
        UserError::RoleEmpty => "role-empty",
        UserError::IdEmpty => "id-empty",
        UserError::RoleTooLong => "role-too-long",
        UserError::IdTooLong => "id-too-long",
        UserError::Comma => "comma",
        UserError::ControlCharacter => "control-character",
        UserError::SpaceAround => "space-around",
    }
}

#[test]
fn close_codes() {
    let mut known = 0;
    for case in cases("close-codes.json", 30) {
        let (json, name) = (&case.json, &case.name);
        if let Some(reason) = text(&json["parse"]) {
            assert_eq!(
                json!(CloseCode::parse_retry(reason)),
                json["retry_ms"],
                "{name}"
            );
            continue;
        }
        let code = json["code"].as_u64().expect("code") as u16;
        assert_eq!(
            json!(CloseCode::is_terminal(code)),
            json["terminal"],
            "{name}"
        );
        let entry = CloseCode::from_u16(code);
        assert_eq!(
            entry.map(|e| e.reason(None)).as_deref(),
            text(&json["reason"]),
            "{name}"
        );
        if let Some(entry) = entry {
            known += 1;
            let advised = entry.reason(Some(1500));
            assert_eq!(
                Some(advised.as_str()),
                text(&json["reason_retry_1500"]),
                "{name}"
            );
            assert_eq!(CloseCode::parse_retry(&advised), Some(1500), "{name}");
            assert!(
                entry.reason(Some(u32::MAX)).len() <= 123,
                "{name}: fits a close frame"
            );
        }
    }
    assert_eq!(known, CloseCode::ALL.len(), "the vectors name every code");
}

#[test]
fn limits() {
    let Limits {
        client_message_bytes,
        server_message_bytes,
        http_body_bytes,
        push_fields,
        push_recipients,
        form_depth,
        json_depth,
        event_bytes,
    } = Limits::default();
    let here = json!({
        "client_message_bytes": client_message_bytes,
        "server_message_bytes": server_message_bytes,
        "http_body_bytes": http_body_bytes,
        "push_fields": push_fields,
        "push_recipients": push_recipients,
        "form_depth": form_depth,
        "json_depth": json_depth,
        "event_bytes": event_bytes,
    });
    let listed: Value = cases("limits.json", 8)
        .into_iter()
        .map(|case| (case.name, case.json["value"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(here, listed);
}

#[test]
fn patterns() {
    for case in cases("patterns.json", 16) {
        let field = |name: &str| text(&case.json[name]).expect("a text");
        let found = pattern_matches(field("pattern"), field("event"));
        assert_eq!(json!(found), case.json["matches"], "{}", case.name);
    }
    let classic = EventPatterns::default();
    assert!(classic.allows("user_tabbar") && classic.allows("chat") && classic.allows("chat:7"));
    assert!(!classic.allows("user_tabbar2") && !classic.allows("Chat") && !classic.allows(""));
}

#[test]
fn durable_encode() {
    for case in cases("durable-encode.json", 10) {
        let text = |field: &str| case.json[field].as_str().unwrap_or_default();
        let wire = text("wire");
        let written = match text("call") {
            "login" => {
                let at = case.json["at"].as_object().expect("positions");
                let number = |raw: &Value| u32::try_from(raw.as_u64().expect("a number"));
                let positions = at.iter().map(|(stream, at)| {
                    let position = Position {
                        epoch: parse_epoch(at[0].as_str().expect("an epoch")).expect("an epoch"),
                        received: number(&at[1]).expect("32 bits"),
                        handled: number(&at[2]).expect("32 bits"),
                    };
                    (stream.as_str().into(), position)
                });
                let extension = LoginExtension {
                    device: text("device").into(),
                    positions: positions.collect(),
                };
                let data = encode_login_extended(text("u"), text("token"), &extension);
                assert_eq!(login_extension(&data), Some(Ok(extension)), "{}", case.name);
                data.get().to_owned()
            }
            "accepted" => {
                let uuid: &RawValue = serde_json::from_str(text("uuid")).expect("JSON");
                let window = case.json["window"].as_u64();
                let extension = window.map(|window| window as u32).ok_or(text("why"));
                let frame = encode_login_accepted(Some(uuid), "登录成功", extension);
                let Ok(ServerFrame::Respon { ok: true, data, .. }) =
                    decode_server(frame.as_bytes())
                else {
                    panic!("{}: no answer", case.name);
                };
                let version = u32::from(window.is_some());
                assert_eq!(spoken_version(data), Some(version), "{}", case.name);
                frame
            }
            "ack" => {
                let offset = case.json["offset"].as_u64().expect("a number") as u32;
                encode_ack(&[(text("stream"), offset)])
            }
            "sign" => encode_sign(text("event")),
            other => panic!("{}: no such call: {other}", case.name),
        };
        assert_eq!(written, wire, "{}", case.name);
    }
}
