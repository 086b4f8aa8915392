//! Properties of the wire: nothing that arrives can panic, what is written is read back, ids are echoed to the byte.

use heartline_protocol::*;
use proptest::prelude::*;
use serde_json::value::RawValue;

/// A JSON text with odd spellings: numbers of any form, escapes, white space, nesting.
fn json_text() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,4})?",
        any::<String>().prop_map(|s| serde_json::to_string(&s).expect("a string")),
        "\"(\\\\u[0-9a-fA-F]{4}|\\\\[\"\\\\/bfnrt]|[a-z聊😀]){0,8}\"",
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|v| format!("[ {} ]", v.join(" ,"))),
            prop::collection::vec(("[a-z]{0,3}", inner), 0..5).prop_map(|v| {
                let fields: Vec<_> = v.iter().map(|(k, v)| format!("\"{k}\" :{v}")).collect();
                format!("{{{}}}", fields.join(","))
            }),
        ]
    })
}

/// Frames that are nearly right: a good one with some bytes changed, removed or doubled.
fn mutated_frame() -> impl Strategy<Value = Vec<u8>> {
    let good = prop_oneof![
        json_text().prop_map(|j| format!("{{\"event\":\"login\",\"data\":{j},\"uuid\":{j}}}")),
        json_text().prop_map(|j| format!(
            "{{\"type\":\"respon\",\"event\":{j},\"data\":{{\"error\":{j}}}}}"
        )),
        json_text().prop_map(|j| format!(
            "{{\"type\":\"app\",\"event\":\"chat1\",\"msg\":{j},\"to\":{j}}}"
        )),
    ];
    (
        good,
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..6),
    )
        .prop_map(|(good, changes)| {
            let mut bytes = good.into_bytes();
            for (at, byte, how) in changes {
                if bytes.is_empty() {
                    break;
                }
                let at = at.index(bytes.len());
                match how {
                    0 => bytes[at] = byte,
                    1 => drop(bytes.remove(at)),
                    _ => bytes.insert(at, byte),
                }
            }
            bytes
        })
}

/// Feeds the bytes to every reader. What is read must be the same when read again from its own spelling.
fn read_everything(bytes: &[u8]) {
    if let Ok(frame) = decode_client(bytes) {
        let _ = Login::decode(frame.data);
        let reply = encode_respon(frame.uuid, 1, "x");
        let Ok(ServerFrame::Respon {
            event, ok: false, ..
        }) = decode_server(reply.as_bytes())
        else {
            panic!("not a refusal: {reply}");
        };
        assert_eq!(event.get(), frame.uuid.map_or("null", RawValue::get));
    }
    match decode_server(bytes) {
        Ok(ServerFrame::Ping { uuid }) => {
            let answer = encode_response(uuid);
            let echoed = decode_client(answer.as_bytes())
                .expect("an answer")
                .uuid
                .expect("a uuid");
            assert_eq!(echoed.get(), uuid.get());
        }
        Ok(ServerFrame::Push { event, whole, .. }) => {
            let Ok(ServerFrame::Push { event: again, .. }) = decode_server(whole.get().as_bytes())
            else {
                panic!("a push is no push when read again");
            };
            assert_eq!(again, event);
        }
        _ => {}
    }
    if let Ok(form) = decode_push_json(bytes, &Limits::default()) {
        serde_json::from_str::<serde_json::Value>(form.frame()).expect("every client can read it");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Who can log in can be named by a push, and the other way round. The prefix `online:` is the
    /// classic one of a recipient, and no role.
    #[test]
    fn whoever_can_log_in_can_be_named(
        text in "(user|用户|[a-z ,\\x00]{0,3}):?[0-9a-f:六 ,\t\r\n\x00\u{85}\u{3000}\u{feff}]{0,5}"
    ) {
        let names: Vec<String> =
            recipients([text.as_str()]).users.iter().map(|user| user.to_string()).collect();
        match User::parse(&text) {
            Ok(user) => prop_assert_eq!(names, [user.to_string()]),
            // Perhaps some users, but never this text.
            Err(_) => prop_assert!(!names.contains(&text)),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        read_everything(&bytes);
    }

    #[test]
    fn mutated_frames_never_panic(bytes in mutated_frame()) {
        read_everything(&bytes);
    }

    #[test]
    fn a_request_is_read_as_it_was_written(event: String, data in json_text(), uuid: String) {
        let data: &RawValue = serde_json::from_str(&data).expect("json");
        let wire = encode_request(&event, Some(data), &uuid);
        let frame = decode_client(wire.as_bytes()).expect("a frame");
        prop_assert_eq!(frame.event.as_deref(), Some(event.as_str()));
        prop_assert_eq!(frame.data.map(RawValue::get), Some(data.get()));
        let read: String = serde_json::from_str(frame.uuid.expect("a uuid").get()).expect("a string");
        prop_assert_eq!(read, uuid);
    }

    #[test]
    fn ids_come_back_to_the_byte(id in json_text(), body: String, error in 0..3_u32) {
        let wire = format!("{{\"event\":\"ping\",\"uuid\": {id}\n}}");
        let frame = decode_client(wire.as_bytes()).expect("a frame");
        let reply = encode_respon(frame.uuid, error, &body);
        let Ok(ServerFrame::Respon { event, ok, data }) = decode_server(reply.as_bytes()) else {
            panic!("not a reply: {reply}");
        };
        prop_assert_eq!(event.get(), id);
        prop_assert_eq!(ok, error == 0);
        let data: serde_json::Value = serde_json::from_str(data.get()).expect("json");
        prop_assert_eq!(data["body"].as_str(), Some(body.as_str()));
    }

    #[test]
    fn a_form_becomes_a_frame_with_its_fields(
        msg: String,
        extra in prop::collection::vec(("[a-z]{1,3}(\\[[a-z0-9]{0,2}\\]){0,3}", any::<String>()), 0..12),
        id in "[0-9]{1,5}",
    ) {
        let to = format!("user:{id}");
        let mut pairs: Vec<(String, Vec<u8>)> = vec![
            ("event".into(), b"chat1".to_vec()),
            ("msg".into(), msg.clone().into_bytes()),
            ("to".into(), to.clone().into_bytes()),
        ];
        pairs.extend(
            extra.into_iter().filter(|(name, _)| !name.starts_with("msg") && !name.starts_with("to"))
                .map(|(name, value)| (name, value.into_bytes())),
        );
        let form = PushForm::from_pairs(pairs.iter().map(|(n, v)| (n, v)), &Limits::default()).expect("well formed");
        prop_assert_eq!(form.recipients().iter().map(User::as_str).collect::<Vec<_>>(), [to.as_str()]);
        let Ok(ServerFrame::Push { event, whole, .. }) = decode_server(form.frame().as_bytes()) else {
            panic!("not a push: {}", form.frame());
        };
        prop_assert_eq!(&event, "chat1");
        prop_assert_eq!(whole.get(), form.frame());
    }

    #[test]
    fn a_form_never_panics(
        pairs in prop::collection::vec(
            ("(event|msg|to|x)?(\\[[\\[\\]0-9a-z]{0,4}\\]?){0,4}", prop::collection::vec(any::<u8>(), 0..12)),
            0..12,
        ),
    ) {
        if let Ok(form) = PushForm::from_pairs(pairs.iter().map(|(n, v)| (n, v)), &Limits::default()) {
            serde_json::from_str::<serde_json::Value>(form.frame()).expect("every client can read it");
        }
    }

    #[test]
    fn json_in_msg_keeps_its_spelling(msg in json_text()) {
        prop_assume!(msg != "null" && !msg.contains("\\u"));
        let pairs = [("event", "chat1"), ("msg", msg.as_str()), ("to", "user:1")];
        let form = match PushForm::from_pairs(pairs, &Limits::default()) {
            Ok(form) => form,
            // Refused is only what a Rust client could not read either.
            Err(error) => {
                let is_readable = serde_json::from_str::<serde_json::Value>(&msg).is_ok();
                prop_assert_eq!((error, is_readable), (PushError::NumberTooLarge { field: "msg".into() }, false));
                return Ok(());
            }
        };
        let expected =
            format!("{{\"event\":\"chat1\",\"msg\":{msg},\"to\":\"user:1\",\"type\":\"app\"}}");
        prop_assert_eq!(form.frame(), expected);
    }
}
