//! Stories of the line: login, loss, return, advice, the end.

mod scripted;

use std::time::{Duration, Instant};

use heartline_client_native::{Client, CloseReason, Credentials, News, Phase};
use heartline_protocol::CloseCode;
use scripted::{Server, soon};
use serde_json::json;
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn a_refused_login_is_tried_again_on_the_same_socket() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut news = client.news();
    let mut peer = server.accept().await;

    let login = peer.expect("login").await;
    assert_eq!(login.data, json!({"u": "user:6", "token": "token"}));
    peer.refuse(&login, "出现错误,登录失败").await;
    let again = peer.expect("login").await;
    assert_ne!(
        again.uuid.get(),
        login.uuid.get(),
        "a uuid is never used twice"
    );
    peer.grant(&again).await;

    soon("the login", client.ready()).await.expect("ready");
    let mut refusals = 0;
    while let Ok(event) = news.try_recv() {
        match event {
            News::LoginRefused { data } => {
                refusals += 1;
                assert!(data.get().contains("登录失败"));
            }
            News::LoggedIn { again, .. } => assert!(!again),
            _ => {}
        }
    }
    assert_eq!(refusals, 1);
}

#[tokio::test]
async fn a_lost_line_comes_back_and_logs_in_again() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    let mut news = client.news();

    drop(peer); // without a close frame
    let mut peer = server.accept_login().await;
    let again = async {
        loop {
            if let News::LoggedIn { again, .. } = news.recv().await.expect("news") {
                return again;
            }
        }
    };
    assert!(soon("the second login", again).await);

    // And the new line works.
    let reply = client.request("hello", &json!({"n": 1})).send();
    let asked = peer.expect("hello").await;
    peer.grant_with(&asked, "1.10").await;
    assert_eq!(
        soon("the reply", reply)
            .await
            .expect("granted")
            .body()
            .expect("a body")
            .get(),
        "1.10"
    );
}

#[tokio::test]
async fn a_half_open_line_is_noticed() {
    let server = Server::bind().await;
    let client = server
        .builder()
        .configure(|config| {
            config.heartbeat_interval_ms = 100;
            config.heartbeat_grace_ms = 100;
        })
        .connect()
        .expect("a client");
    let mut peer = server.accept_login().await;
    let mut news = client.news();
    let ping = peer.expect("ping").await;
    peer.grant(&ping).await;
    peer.expect("ping").await; // and from here on the peer says nothing, but keeps the socket

    let reason = async {
        loop {
            if let News::Disconnected { reason, .. } = news.recv().await.expect("news") {
                return reason;
            }
        }
    };
    assert_eq!(soon("the verdict", reason).await, CloseReason::Dead);
    let _second = server.accept_login().await;
    soon("the return", client.ready()).await.expect("ready");
}

#[tokio::test]
async fn server_pings_are_answered_to_the_byte() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    for uuid in [
        "1",
        "1.10",
        "9007199254740993",
        "\"a\\u0041\"",
        "{\"b\": [1e999]}",
    ] {
        peer.send(format!("{{\"type\":\"ping\",\"uuid\": {uuid} }}"))
            .await;
        assert_eq!(peer.expect("response").await.uuid.get(), uuid);
    }
}

#[tokio::test]
async fn what_is_no_message_is_ignored() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    let mut chats = client.on("chat*").expect("a subscription");
    for garbage in [
        "",
        "null",
        "[]",
        "{",
        "{}",
        r#"{"type":"ping"}"#,
        r#"{"type":"respon"}"#,
    ] {
        peer.send(garbage).await;
    }
    peer.send(r#"{"type":"respon","event":"somebody-else-1","data":{"error":0}}"#)
        .await;
    peer.send_raw(tokio_tungstenite::tungstenite::Message::binary(
        b"\xff\xfe".to_vec(),
    ))
    .await;
    let whole = "{\"type\":\"app\",\"event\":\"chat1\",\"msg\":7}";
    // Binary frames and a byte-order mark are understood.
    let marked = format!("\u{feff}{whole}").into_bytes();
    peer.send_raw(tokio_tungstenite::tungstenite::Message::binary(marked))
        .await;
    let push = soon("the push", chats.recv())
        .await
        .expect("open")
        .expect("no gap");
    assert_eq!(push.whole().get(), whole);
    assert_eq!(client.phase(), Phase::Ready);
}

#[tokio::test]
async fn a_terminal_close_code_is_never_retried() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    peer.close(CloseCode::Kicked.code(), &CloseCode::Kicked.reason(None))
        .await;
    let reason = CloseReason::Remote { code: Some(4500) };
    let mut states = client.states();
    soon(
        "the end",
        states.wait_for(|phase| *phase == Phase::Closed { reason }),
    )
    .await
    .expect("alive");
    assert!(server.stays_lonely(500).await);
    assert_eq!(client.ready().await, Err(reason));

    // Only the app's word brings it back.
    client.set_identity(Some(Credentials::new("user:7", "t7")));
    let login = server.accept().await.expect("login").await;
    assert_eq!(login.data["u"], "user:7");
}

#[tokio::test]
async fn advice_in_the_close_reason_is_followed() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    let closed = Instant::now();
    peer.close(
        CloseCode::Drain.code(),
        &CloseCode::Drain.reason(Some(1_200)),
    )
    .await;
    assert_eq!(
        peer.closing().await,
        Some(CloseCode::Drain.code()),
        "the close is answered"
    );
    server.accept_login().await;
    assert!(
        closed.elapsed() >= Duration::from_millis(1_190),
        "{:?}",
        closed.elapsed()
    );
}

#[tokio::test]
async fn advice_of_an_http_refusal_is_followed() {
    let server = Server::bind().await;
    let _client = server.builder().connect().expect("a client");
    let mut tcp = server.accept_tcp().await;
    let refused = Instant::now();
    let answer = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    tcp.write_all(answer.as_bytes()).await.expect("written");
    server.accept_login().await;
    assert!(
        refused.elapsed() >= Duration::from_millis(990),
        "{:?}",
        refused.elapsed()
    );
}

#[tokio::test]
async fn a_server_that_never_answers_the_handshake_is_left() {
    let server = Server::bind().await;
    let client = server
        .builder()
        .configure(|config| config.dial_timeout_ms = 200)
        .connect()
        .expect("a client");
    let _silent = server.accept_tcp().await;
    let mut peer = server.accept().await;
    let login = peer.expect("login").await;
    peer.grant(&login).await;
    soon("the login", client.ready()).await.expect("ready");
}

#[tokio::test]
async fn closing_while_connecting_leaves_nothing_behind() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let _silent = server.accept_tcp().await;
    assert_eq!(client.phase(), Phase::Connecting);
    let pending = client.request("late", &json!({})).queue().send();
    soon("the close", client.close()).await;
    assert_eq!(client.tasks(), 0);
    assert!(pending.await.is_err());
    assert!(server.stays_lonely(300).await);
}

#[tokio::test]
async fn a_graceful_close_says_so_and_ends_every_task() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    let mut all = client.on("*").expect("a subscription");
    let (code, ()) = tokio::join!(peer.closing(), client.close());
    assert_eq!(code, Some(1000));
    assert_eq!(client.tasks(), 0);
    assert!(all.recv().await.is_none(), "subscriptions end");
    assert!(client.on("*").is_err());
    assert!(client.request("x", &()).await.is_err());
    client.start();
    assert!(server.stays_lonely(200).await, "closed is for ever");
}

#[tokio::test]
async fn the_last_handle_closes_the_line() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut peer = server.accept_login().await;
    let clone = client.clone();
    drop(client);
    soon("the login", clone.ready())
        .await
        .expect("a clone keeps the line");
    let mut all = clone.on("*").expect("a subscription");
    drop(clone);
    assert_eq!(peer.closing().await, Some(1000));
    assert!(
        soon("the end", all.recv()).await.is_none(),
        "a subscription keeps no line"
    );
}

#[tokio::test]
async fn a_close_to_a_peer_that_reads_nothing_is_bounded() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let _deaf = server.accept_login().await; // and never reads again
    soon("the login", client.ready()).await.expect("ready");
    let big = "x".repeat(1_000_000);
    let mut unsent = 0;
    let pending: Vec<_> = (0..40)
        .map(|_| client.request("big", &big).send())
        .collect();
    let begun = Instant::now();
    client.close().await;
    assert!(
        begun.elapsed() < Duration::from_secs(4),
        "{:?}",
        begun.elapsed()
    );
    for reply in pending {
        if matches!(
            reply.await,
            Err(heartline_client_native::RequestError::NotSent(_))
        ) {
            unsent += 1;
        }
    }
    assert!(
        unsent > 10,
        "the queue is bounded: {unsent} of 40 were not accepted"
    );
}

#[tokio::test]
async fn switching_the_user_logs_in_on_the_same_socket_and_logging_out_closes_it() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");

    client.set_identity(Some(Credentials::new("user:9", "t9")));
    let login = peer.expect("login").await;
    assert_eq!(login.data, json!({"u": "user:9", "token": "t9"}));
    peer.grant(&login).await;
    soon("the login", client.ready()).await.expect("ready");

    client.set_identity(None);
    assert_eq!(peer.closing().await, Some(1000));
    assert_eq!(client.phase(), Phase::Idle);
    assert!(server.stays_lonely(300).await);
}

#[tokio::test]
async fn the_provider_is_asked_before_each_login_and_may_fail() {
    let server = Server::bind().await;
    let asked = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = asked.clone();
    let client = Client::builder(&server.url())
        .backoff(heartline_client_native::Backoff::Fixed { delay_ms: 50 })
        .credentials_provider(move || {
            let n = counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            async move {
                tokio::time::sleep(Duration::from_millis(10)).await;
                if n == 1 {
                    return Err("the token service is away".into());
                }
                Ok(Credentials::new("user:6", format!("token {n}")))
            }
        })
        .connect()
        .expect("a client");
    let mut peer = server.accept().await;
    let login = peer.expect("login").await;
    assert_eq!(login.data["token"], "token 2");
    peer.refuse(&login, "expired").await;
    let login = peer.expect("login").await;
    assert_eq!(login.data["token"], "token 3");
    peer.grant(&login).await;
    soon("the login", client.ready()).await.expect("ready");
}

#[tokio::test]
async fn a_message_over_the_limit_ends_the_line_only() {
    let server = Server::bind().await;
    let client = server
        .builder()
        .max_message_bytes(10_000)
        .connect()
        .expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    peer.push("chat1", json!("x".repeat(20_000))).await;
    let _second = server.accept_login().await;
    soon("the return", client.ready()).await.expect("ready");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    for (url, why) in [
        ("http://127.0.0.1/", "ws:// instead of http://"),
        ("https://127.0.0.1/", "wss:// instead of https://"),
        ("ws://me:secret@127.0.0.1/", "a user name"),
        ("127.0.0.1:80", "ws:// or wss://"),
        ("ws://", "not a URL"),
        ("", "it is empty"),
    ] {
        let error = Client::builder(url).build().expect_err(url).to_string();
        assert!(
            error.contains(why) && !error.contains("secret"),
            "{url}: {error}"
        );
    }
    assert!(
        Client::builder("ws://h")
            .classic_credentials("nobody", "key")
            .is_err()
    );
}

#[tokio::test]
async fn the_networks_return_is_not_waited_out() {
    let server = Server::bind().await;
    let hour = heartline_client_native::Backoff::Fixed {
        delay_ms: 3_600_000,
    };
    let client = server.builder().backoff(hour).connect().expect("a client");
    let peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    drop(peer);
    let mut states = client.states();
    let waiting = |phase: &Phase| matches!(phase, Phase::Waiting { .. });
    soon("the loss", states.wait_for(waiting))
        .await
        .expect("alive");
    client.set_network(false);
    assert!(
        server.stays_lonely(600).await,
        "nothing is tried without a network"
    );
    client.set_network(true);
    server.accept_login().await;
}

#[tokio::test]
async fn a_stopped_client_starts_again_on_request() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut chats = client.on("chat*").expect("a subscription");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    client.stop();
    assert_eq!(peer.closing().await, Some(1000));
    assert_eq!(
        client.phase(),
        Phase::Closed {
            reason: CloseReason::Asked
        }
    );
    assert!(server.stays_lonely(200).await);

    client.start();
    client.start(); // a second word starts no second line
    let mut peer = server.accept_login().await;
    peer.push("chat1", json!(1)).await;
    soon("the push", chats.recv())
        .await
        .expect("open")
        .expect("no gap");
    assert!(server.stays_lonely(200).await);
}

#[tokio::test]
async fn what_the_system_reports_of_a_failed_dial_is_in_the_news() {
    let server = Server::bind().await;
    let client = server.builder().build().expect("a client");
    let mut news = client.news();
    drop(server);
    client.start();
    let detail = soon("the failed dial", async {
        loop {
            if let News::Disconnected { detail, .. } = news.recv().await.expect("news") {
                return detail;
            }
        }
    });
    let detail = detail.await.expect("the system gives a reason");
    assert!(detail.contains("refused"), "{detail}");
}
