//! What the classic push and the API refuse, alike: nothing of a push is lost in silence, and nothing is let in that a client
//! could not read.

mod line;

use heartline_server::metrics::Happening;
use line::{Device, Line};
use serde_json::{Value, json};

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const JSON: &str = "Content-Type: application/json\r\n";

/// One request with these headers: the answer as it came.
async fn send(line: &Line, head: &str, headers: &str, body: &[u8]) -> (u16, String) {
    let length = body.len();
    let head = format!(
        "{head} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    );
    let answer = line.raw(&[head.as_bytes(), body].concat()).await;
    let answer = String::from_utf8(answer).expect("an answer in UTF-8");
    (answer[9..12].parse().expect("a status"), answer)
}

async fn api(line: &Line, body: &str) -> (u16, String) {
    send(line, "POST /api/v1/push", JSON, body.as_bytes()).await
}

fn receipt(answer: &str) -> Value {
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"))
}

/// The device hears this push next, and so heard none before it.
async fn hears(line: &Line, device: &mut Device, msg: &str) {
    let form = format!("event=chat1&msg={msg}&to=user:1");
    assert_eq!(line.push(&form).await, (200, "ok".into()));
    let text = device.hear().await;
    assert!(text.contains(msg), "{text}");
}

#[tokio::test]
async fn a_type_of_the_protocols_own_is_refused_wherever_it_comes_in() {
    let line = Line::start(|config| config.push.durable_events = vec!["chat_kept".into()]).await;
    let mut device = line.logged_in("user:1").await;
    let multipart = "Content-Type: multipart/form-data; boundary=X\r\n";
    for kind in ["ping", "respon", "$hl", "other", ""] {
        for event in ["chat1", "chat_kept"] {
            let form = format!(
                "event={event}&msg=x&to=user:1&type={}",
                kind.replace('$', "%24")
            );
            let object =
                json!({"event": event, "msg": "x", "to": "user:1", "type": kind}).to_string();
            let part = |name: &str, value: &str| {
                format!("--X\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
            };
            let parts: String = [
                ("event", event),
                ("msg", "x"),
                ("to", "user:1"),
                ("type", kind),
            ]
            .map(|(name, value)| part(name, value))
            .concat();
            for (headers, body) in [(FORM, form), (JSON, object), ("", multipart.into())] {
                let (headers, body) = match headers {
                    "" => (multipart, format!("{parts}--X--\r\n")),
                    _ => (headers, body),
                };
                let (status, answer) = send(&line, "POST /", headers, body.as_bytes()).await;
                assert_eq!(status, 400, "{body}");
                assert!(answer.contains("field `type` must be \"app\""), "{answer}");
            }
        }
    }
    let (status, answer) = api(
        &line,
        r#"{"to":"user:1","event":"chat1","msg":1,"type":"ping"}"#,
    )
    .await;
    assert_eq!(status, 400, "{answer}");
    hears(&line, &mut device, "after").await;
}

#[tokio::test]
async fn a_near_miss_of_the_api_is_no_classic_push() {
    let line = Line::start(|_| {}).await;
    let mut device = line.logged_in("user:1").await;
    let body = br#"{"to":"user:1","event":"chat1","msg":1}"#;
    for (path, status) in [
        ("//api/v1/push", 400),
        ("/api/v1//push", 400),
        ("/x/../api/v1/push", 400),
        ("/./push", 400),
        ("/hl/api/v1/push", 404),
        ("/API/v1/push", 404),
        ("/api", 404),
        ("/api/v1/push/", 404),
        ("/api/v2/push", 404),
        ("/v1/push", 404),
        ("/%61pi/v1/push", 404),
    ] {
        for method in ["POST", "PUT"] {
            let (found, answer) = send(&line, &format!("{method} {path}"), JSON, body).await;
            assert_eq!(found, status, "{method} {path}: {answer}");
            assert!(
                answer.contains("/api/v1/push"),
                "it names the right path: {answer}"
            );
        }
    }
    let (status, _) = send(&line, "POST /notify/user", JSON, body).await;
    assert_eq!(status, 200, "any other path is a classic push's");
    assert!(device.hear().await.contains(r#""msg":1"#));
    hears(&line, &mut device, "after").await;
}

#[tokio::test]
async fn receipts_are_found_under_ids_of_any_characters() {
    let line = Line::start(|_| {}).await;
    for (id, escaped) in [
        ("order:17", "order%3A17"),
        ("order#17", "order%2317"),
        ("a?b", "a%3Fb"),
        ("50%", "50%25"),
        ("a/b", "a%2Fb"),
        ("a//b", "a%2f%2Fb"),
    ] {
        let push = json!({"to": "user:1", "event": "chat1", "msg": 1, "id": id});
        let (status, answer) = api(&line, &push.to_string()).await;
        assert_eq!(status, 200, "{answer}");
        let (status, answer) = send(&line, &format!("GET /api/v1/push/{escaped}"), "", b"").await;
        assert_eq!(
            (status, &receipt(&answer)["id"]),
            (200, &json!(id)),
            "{answer}"
        );
    }
    let (status, answer) = send(&line, "GET /api/v1/push/50%", "", b"").await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer.contains("write % itself as %25"), "{answer}");
}

#[tokio::test]
async fn no_part_of_the_recipients_is_dropped_in_silence() {
    let line = Line::start(|_| {}).await;
    let mut device = line.logged_in("user:1").await;
    for form in [
        "event=chat1&msg=x&to=user:1&to=user:2",
        "event=chat1&msg=x&to=user:1&to[]=user:2",
        "event=chat1&msg=x&to[0]=user:1&to[0]=user:2",
    ] {
        let (status, answer) = line.push(form).await;
        assert_eq!(status, 400, "{form}: {answer}");
        assert!(
            answer.contains("field `to` is there more than once"),
            "{answer}"
        );
    }
    // One empty id in a list costs the others nothing; the sender and the operator are told.
    let form = "event=chat1&msg=some&to=user:1,user:,usr:6,user:a%00b";
    let (status, answer) = send(&line, "POST /", FORM, form.as_bytes()).await;
    assert_eq!(status, 200);
    assert!(
        answer.contains("Heartline-Unknown-Recipients: 3\r\n"),
        "{answer}"
    );
    assert!(answer.ends_with("\r\n\r\nok"), "{answer}");
    assert!(device.hear().await.contains("some"));
    assert_eq!(line.server.metrics().total(Happening::RecipientUnknown), 1);
    let (_, answer) = send(&line, "POST /", FORM, b"event=chat1&msg=all&to=user:1").await;
    assert!(!answer.contains("Unknown-Recipients"), "{answer}");
    assert!(device.hear().await.contains("all"));
}

#[tokio::test]
async fn the_api_refuses_roles_that_nobody_has_and_names_those_there_are() {
    let line = Line::start(|_| {}).await;
    for transient in ["", r#","transient":true"#] {
        let body = format!(r#"{{"to":["user:1","usr:6"],"event":"chat1","msg":1{transient}}}"#);
        let (status, answer) = api(&line, &body).await;
        assert_eq!(status, 400, "{answer}");
        let detail = receipt(&answer)["detail"]
            .as_str()
            .map(str::to_owned)
            .unwrap();
        assert!(
            detail.contains("usr:6") && detail.contains("the roles are user, xxx"),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn a_compressed_body_is_refused_by_its_header() {
    let line = Line::start(|_| {}).await;
    let bytes = b"\x1f\x8b\x08\x00\x1b[31m\x00";
    for (path, headers) in [("POST /", FORM), ("POST /api/v1/push", JSON)] {
        let headers = format!("{headers}Content-Encoding: gzip\r\n");
        let (status, answer) = send(&line, path, &headers, bytes).await;
        assert_eq!(status, 415, "{answer}");
        assert!(
            answer.contains("Content-Encoding") && !answer.contains('\u{1b}'),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_passed_over_at_every_door() {
    let line = Line::start(|_| {}).await;
    let mut device = line.logged_in("user:1").await;
    let object = "\u{feff}{\"event\":\"chat1\",\"msg\":\"marked\",\"to\":\"user:1\"}";
    let form = "\u{feff}event=chat1&msg=marked&to=user:1";
    for (path, headers, body) in [
        ("POST /", JSON, object),
        ("POST /", "", object),
        ("POST /", FORM, form),
        ("POST /", "", form),
        ("POST /api/v1/push", JSON, object),
    ] {
        let (status, answer) = send(&line, path, headers, body.as_bytes()).await;
        assert_eq!(status, 200, "{path} {headers}: {answer}");
        assert!(device.hear().await.contains("marked"));
    }
}

#[tokio::test]
async fn what_a_client_could_not_read_is_let_in_nowhere() {
    let line = Line::start(|config| config.push.durable_events = vec!["chat*".into()]).await;
    let mut device = line.logged_in("user:1").await;
    let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    for (msg, reason) in [
        (r#""\ud83d""#.to_owned(), "half of a surrogate pair"),
        (r#"{"\udc00":1}"#.into(), "half of a surrogate pair"),
        (deep(100), "nested deeper than 100 levels"),
        (deep(100_000), "nested deeper than 100 levels"),
        ("[1e999]".into(), "beyond what a 64-bit float holds"),
    ] {
        let body = format!(r#"{{"to":"user:1","event":"chat1","msg":{msg}}}"#);
        for path in ["POST /", "POST /api/v1/push"] {
            let (status, answer) = send(&line, path, JSON, body.as_bytes()).await;
            assert_eq!(status, 400, "{path} {answer}");
            assert!(answer.contains(reason), "{path}: {answer}");
        }
    }
    // A form's `msg` is a text first: what is no JSON stays one, what is JSON has the same bounds.
    for (msg, reason) in [
        (deep(101), "nested deeper"),
        ("1e999".into(), "beyond what"),
    ] {
        let (status, answer) = line.push(&format!("event=chat1&to=user:1&msg={msg}")).await;
        assert_eq!(status, 400);
        assert!(answer.contains(reason), "{answer}");
    }
    hears(&line, &mut device, "after").await;
}

#[tokio::test]
async fn a_repeat_is_what_asks_for_the_same_and_everything_else_is_a_conflict() {
    let line = Line::start(|_| {}).await;
    let first = r#"{"to":["user:b","user:a"],"event":"chat1","msg":1,"id":"one"}"#;
    let (status, answer) = api(&line, first).await;
    let before = receipt(&answer);
    assert_eq!(
        (status, &before["repeated"]),
        (200, &json!(false)),
        "{answer}"
    );
    let other_order = r#"{"to":"user:a,user:b","event":"chat1","msg":1,"id":"one"}"#;
    let (status, answer) = api(&line, other_order).await;
    let again = receipt(&answer);
    assert_eq!(
        (status, &again["repeated"]),
        (200, &json!(true)),
        "{answer}"
    );
    assert_eq!(before["recipients"], again["recipients"]);
    for other in [
        r#"{"to":["user:a"],"event":"chat1","msg":1,"id":"one"}"#,
        r#"{"to":["user:a","user:b"],"event":"chat1","msg":2,"id":"one"}"#,
        r#"{"to":["user:a","user:b"],"event":"chat1","msg":1,"id":"one","ttl":5}"#,
        r#"{"to":["user:a","user:b"],"event":"chat1","msg":1,"id":"one","undelivered":5}"#,
        r#"{"to":["user:a","user:b"],"event":"chat1","msg":1,"id":"one","collapseKey":"k"}"#,
    ] {
        let (status, answer) = api(&line, other).await;
        assert_eq!(status, 409, "{other}: {answer}");
    }
    let metrics = line.server.metrics();
    assert_eq!(
        metrics.total(Happening::StoreFailed),
        0,
        "the store did what it should"
    );
    assert_eq!(metrics.total(Happening::PushRefused), 5);
}

#[tokio::test]
async fn a_header_that_counts_is_sent_once() {
    let line = Line::start(|_| {}).await;
    let body = br#"{"to":"user:1","event":"chat1","msg":1}"#;
    let headers = format!("{JSON}Idempotency-Key: a\r\nIdempotency-Key: b\r\n");
    let (status, answer) = send(&line, "POST /api/v1/push", &headers, body).await;
    assert_eq!(status, 400, "{answer}");
    assert!(
        answer.contains("several headers Idempotency-Key"),
        "{answer}"
    );
    let (status, answer) = send(&line, "GET /api/v1/push/a", "", b"").await;
    assert_eq!(status, 404, "nothing was stored: {answer}");
    let (status, answer) = send(&line, "POST /", &format!("{JSON}{FORM}"), body).await;
    assert_eq!(status, 400, "{answer}");
    assert!(answer.contains("several headers Content-Type"), "{answer}");
}

#[tokio::test]
async fn when_bodies_find_no_room_both_doors_say_when_to_come_again() {
    let line = Line::start(|_| {}).await;
    let size = 2 * 1024 * 1024;
    let mut stalled = Vec::new();
    for _ in 0..64 {
        use tokio::io::AsyncWriteExt;
        let mut socket = tokio::net::TcpStream::connect(line.address).await.unwrap();
        let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(&vec![b'x'; size - 1]).await.unwrap();
        stalled.push(socket);
    }
    let body = format!(
        r#"{{"to":"user:1","event":"chat1","msg":"{}"}}"#,
        "m".repeat(1_000)
    );
    for path in ["POST /", "POST /api/v1/push"] {
        // What was written last may still be on its way.
        let mut answer = String::new();
        for _ in 0..200 {
            let (status, found) = send(&line, path, JSON, body.as_bytes()).await;
            answer = found;
            if status == 503 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        assert!(answer.starts_with("HTTP/1.1 503"), "{path}: {answer}");
        assert!(answer.contains("Retry-After: 1\r\n"), "{path}: {answer}");
    }
}
