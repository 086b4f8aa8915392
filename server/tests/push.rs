//! The HTTP push against a running server: forms, answers, refusals, bounds, who may.

mod line;

use heartline_server::config::Secret;
use line::Line;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn the_form_arrives_as_it_came() {
    let line = Line::start(|_| {}).await;
    let mut device = line.logged_in("user:1").await;
    for (form, frame) in [
        (
            "event=chat1&msg=reload&to=user:1&type=app",
            r#"{"event":"chat1","msg":"reload","to":"user:1","type":"app"}"#,
        ),
        (
            "event=user_tabbar&msg=%7B%22a%22%3A1.0%7D&to=online:user:1&x=y",
            r#"{"event":"user_tabbar","msg":{"a":1.0},"to":"online:user:1","x":"y","type":"app"}"#,
        ),
        (
            "event=chat&msg=007&to[0]=user:1&to[1]=user:1",
            r#"{"event":"chat","msg":"007","to":["user:1","user:1"],"type":"app"}"#,
        ),
        (
            "event=chat&msg=&to=,user:1,,%20user:10",
            r#"{"event":"chat","msg":"","to":",user:1,, user:10","type":"app"}"#,
        ),
    ] {
        assert_eq!(line.push(form).await, (200, "ok".into()), "{form}");
        assert_eq!(device.hear().await, frame);
    }
    assert_eq!(
        line.push("event=other&msg=1&to=user:1").await,
        (200, "fail".into())
    );
    assert_eq!(
        line.push("event=Chat1&msg=1&to=user:1").await,
        (200, "fail".into())
    );
    assert_eq!(
        line.push("event=chat1&msg=1&to=user:404").await,
        (200, "ok".into()),
        "nobody is there"
    );
    device.hears_nothing_else().await;
}

#[tokio::test]
async fn the_answer_is_the_classic_one() {
    let line = Line::start(|_| {}).await;
    let mut kept = Vec::new();
    let request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n\
        Content-Length: 28\r\n\r\nevent=chat1&msg=1&to=user:40";
    let answer = line.raw_head(request.as_bytes(), &mut kept).await;
    let lower = answer.to_lowercase();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    for header in [
        "content-type: text/html",
        "content-length: 2\r\n",
        "connection: keep-alive\r\n",
    ] {
        assert!(lower.contains(header), "{header}: {answer}");
    }
    assert!(answer.ends_with("\r\n\r\nok"), "no newline: {answer:?}");
    // The same connection takes another.
    kept[0].write_all(request.as_bytes()).await.unwrap();
    let mut again = vec![0; answer.len()];
    kept[0].read_exact(&mut again).await.unwrap();
    assert!(again.ends_with(b"ok"));
}

#[tokio::test]
async fn any_method_path_and_framing_will_do() {
    let line = Line::start(|_| {}).await;
    let mut device = line.logged_in("user:1").await;
    let form = "event=chat1&msg=1&to=user:1";
    for method in ["PUT /x/y?z", "PATCH /", "DELETE /", "GET /send", "REPORT /"] {
        let request = format!(
            "{method} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 27\r\n\r\n{form}"
        );
        assert_eq!(line.http(&request).await, (200, "ok".into()), "{method}");
        device.hear().await;
    }
    let chunked = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n\
        5\r\nevent\r\n16\r\n=chat1&msg=1&to=user:1\r\n0\r\n\r\n";
    assert_eq!(line.http(chunked).await, (200, "ok".into()));
    device.hear().await;
}

#[tokio::test]
async fn a_body_is_called_for_without_delay() {
    let line = Line::start(|_| {}).await;
    let mut stream = TcpStream::connect(line.address).await.unwrap();
    let began = Instant::now();
    let head = "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Length: 27\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 25];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    assert!(began.elapsed() < Duration::from_millis(500));
    stream
        .write_all(b"event=chat1&msg=1&to=user:1")
        .await
        .unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(
        rest.starts_with("HTTP/1.1 200") && rest.ends_with("ok"),
        "{rest}"
    );
}

#[tokio::test]
async fn what_is_no_push_is_told_why() {
    let line = Line::start(|_| {}).await;
    for (form, word) in [
        ("", "event"),
        ("event=chat1&msg=1", "to"),
        ("event=chat1&msg=1&to=", "to"),
        ("event=chat1&to=user:1", "msg"),
        ("event=chat1&msg[a]=1&to=user:1", "msg"),
        ("event=chat1&msg=%ff&to=user:1", "UTF-8"),
    ] {
        let (status, body) = line.push(form).await;
        assert!(
            status == 400 && body.contains(word),
            "{form}: {status} {body}"
        );
    }
    for request in ["GET /", "HEAD /", "OPTIONS /"] {
        let (status, _) = line
            .http(&format!(
                "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            ))
            .await;
        assert_eq!(status, 405, "{request}");
    }
    let (status, body) = line
        .http("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await;
    assert!(
        status == 200 && body.starts_with(r#"{"status":"ok","connections":0"#),
        "{body}"
    );
}

#[tokio::test]
async fn too_much_is_refused_and_the_refusal_can_be_read() {
    let line = Line::start(|_| {}).await;
    let limit = 2 * 1024 * 1024;
    let overhead = "event=chat1&to=user:1&msg=";
    let form = format!("{overhead}{}", "x".repeat(limit - overhead.len()));
    assert_eq!(line.push(&form).await, (200, "ok".into()), "just the limit");
    assert_eq!(line.push(&format!("{form}x")).await.0, 413);

    let mut chunked = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..40 {
        chunked.extend_from_slice(b"20000\r\n");
        chunked.resize(chunked.len() + 0x20000, b'x');
        chunked.extend_from_slice(b"\r\n");
    }
    let answer = line.raw(&chunked).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 413"),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );

    let waiting =
        "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 100000000\r\n\r\n";
    assert_eq!(line.http(waiting).await.0, 413, "not even called for");

    let long_header = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "x".repeat(100_000)
    );
    assert_eq!(line.http(&long_header).await.0, 431);
}

#[tokio::test]
async fn only_who_may_pushes() {
    let line = Line::start(|config| config.push.keys = vec![Secret::new("sesame")]).await;
    let with = async |headers: &str| {
        let request = format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: 27\r\n\r\n\
             event=chat1&msg=1&to=user:1"
        );
        line.http(&request).await.0
    };
    assert_eq!(with("").await, 200, "from this machine");
    for wrong in [
        "Bearer wrong",
        "Bearer ",
        "Bearer",
        "bearer",
        "Basic c2VzYW1l",
    ] {
        let header = format!("Authorization: {wrong}\r\n");
        assert_eq!(with(&header).await, 401, "{wrong:?}");
    }
    let key = "Authorization: Bearer sesame\r\n";
    assert_eq!(with(&format!("{key}{key}")).await, 401, "two headers");
    assert_eq!(with("").await, 200, "a wrong key is no sign of a proxy");
    assert_eq!(with("X-Forwarded-For: 203.0.113.9\r\n").await, 403);
    assert_eq!(with("").await, 403, "a proxy was seen");
    assert_eq!(
        with(&format!("X-Forwarded-For: 203.0.113.9\r\n{key}")).await,
        200
    );

    let closed = Line::start(|config| config.push.allow_loopback = false).await;
    let (status, reason) = closed.push("event=chat1&msg=1&to=user:1").await;
    assert_eq!(status, 401);
    assert!(
        reason.contains("--push-key") && reason.contains("--loopback-push"),
        "{reason}"
    );
}

#[tokio::test]
async fn a_page_that_was_rebound_to_this_machine_reads_no_receipts() {
    let line = Line::start(|_| {}).await;
    let receipts = |host: &str| {
        format!("GET /api/v1/push/T HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")
    };
    assert_eq!(
        line.http(&receipts("127.0.0.1")).await.0,
        404,
        "no such push"
    );
    assert_eq!(line.http(&receipts("rebind.evil")).await.0, 403);
    assert_eq!(
        line.http(&receipts("127.0.0.1")).await.0,
        403,
        "a sign like any other"
    );
}

#[tokio::test]
async fn the_push_port_takes_pushes_and_no_websockets() {
    let line = Line::start(|config| {
        config.push.listen = Some("127.0.0.1:0".parse().unwrap());
        config.push.keys = vec![Secret::new("sesame")];
    })
    .await;
    let mut device = line.logged_in("user:1").await;
    assert_eq!(line.push("event=chat1&msg=1&to=user:1").await.0, 401);
    let pushes = Line {
        address: line.server.push_addr().expect("a port of its own"),
        ..line
    };
    assert_ne!(pushes.address, pushes.server.local_addr());
    assert_eq!(
        pushes.push("event=chat1&msg=1&to=user:1&type=app").await,
        (200, "ok".into())
    );
    assert!(device.hear().await.contains(r#""msg":1"#));
    let answer = pushes.raw(&line::handshake_and(b"")).await;
    assert!(
        answer.starts_with(b"HTTP/1.1 403 "),
        "{:?}",
        String::from_utf8_lossy(&answer)
    );
    let health = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    assert_eq!(pushes.http(health).await.0, 200);
    pushes.server.shutdown().await;
}

#[tokio::test]
async fn found_a_caller_that_closes_its_side_after_its_request_gets_its_answer() {
    let line = Line::start(|_| {}).await;
    let mut device = line.logged_in("user:1").await;
    let form = "event=chat1&msg=1&to=user:1";
    let api = r#"{"event":"chat1","msg":2,"to":"user:1"}"#;
    for (path, kind, body) in [
        ("/", "application/x-www-form-urlencoded", form),
        ("/api/v1/push", "application/json", api),
    ] {
        let mut stream = TcpStream::connect(line.address).await.unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:?}");
        assert!(device.hear().await.contains("chat1"));
    }
}

#[tokio::test]
async fn found_keep_alive_is_said_where_the_connection_stays_and_nowhere_else() {
    // With a key: without one, HTTP/1.0 is taken for a proxy.
    let line = Line::start(|config| config.push.keys = vec![Secret::new("sesame")]).await;
    // The request's version and header; whether it stays open; the answer's header.
    for (version, asked, stays, said) in [
        ("1.1", "", true, Some("keep-alive")),
        ("1.1", "Connection: keep-alive\r\n", true, None),
        ("1.1", "Connection: close\r\n", false, Some("close")),
        ("1.0", "", false, None),
        ("1.0", "Connection: close\r\n", false, None),
        (
            "1.0",
            "Connection: keep-alive\r\n",
            true,
            Some("keep-alive"),
        ),
    ] {
        let what = format!("HTTP/{version} {asked:?}");
        let mut stream = TcpStream::connect(line.address).await.unwrap();
        for _ in 0..2 {
            let request = format!(
                "POST / HTTP/{version}\r\nHost: x\r\n{asked}\
                 Authorization: Bearer sesame\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: 27\r\n\r\nevent=chat1&msg=1&to=user:4"
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"ok") {
                let count = stream.read_buf(&mut answer).await.unwrap();
                assert_ne!(count, 0, "{what}: {:?}", String::from_utf8_lossy(&answer));
            }
            let answer = String::from_utf8(answer).unwrap().to_lowercase();
            let header = answer
                .lines()
                .find_map(|line| line.strip_prefix("connection: "));
            assert_eq!(header, said, "{what}");
            if !stays {
                let ends = stream.read_u8();
                let ended = tokio::time::timeout(Duration::from_secs(5), ends).await;
                assert!(ended.expect("it closes").is_err(), "{what}");
                break;
            }
        }
    }
}
