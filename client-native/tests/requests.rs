//! Stories of requests: each has exactly one fate.

mod scripted;

use std::num::NonZeroU32;
use std::time::Duration;

use heartline_client_native::{DropReason, NotSent, RequestError};
use scripted::{Peer, Server, quiet, soon};
use serde_json::json;

async fn ready() -> (Server, heartline_client_native::Client, Peer) {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    (server, client, peer)
}

#[tokio::test]
async fn a_reply_keeps_its_spelling() {
    let (_server, client, mut peer) = ready().await;
    let reply = client.request("price", &json!({"of": "tea"})).send();
    let asked = peer.expect("price").await;
    assert_eq!(asked.data, json!({"of": "tea"}));
    peer.grant_with(&asked, r#"{"yuan":1.10,"id":12345678901234567890}"#)
        .await;
    let reply = soon("the reply", reply).await.expect("granted");
    assert_eq!(
        reply.body().expect("a body").get(),
        r#"{"yuan":1.10,"id":12345678901234567890}"#
    );
    assert_eq!(
        reply.data().get(),
        r#"{"error":0,"body":{"yuan":1.10,"id":12345678901234567890}}"#
    );
    #[derive(serde::Deserialize)]
    struct Price {
        yuan: f64,
    }
    assert_eq!(reply.parse_body::<Price>().expect("a price").yuan, 1.1);
}

#[tokio::test]
async fn fate_refused() {
    let (_server, client, mut peer) = ready().await;
    let reply = client.request("x", &()).send();
    let asked = peer.expect("x").await;
    assert!(asked.data.is_null(), "a unit is no data");
    peer.refuse(&asked, "no such event").await;
    match soon("the fate", reply).await {
        Err(RequestError::Refused { code: 1, body }) => assert_eq!(body.get(), "\"no such event\""),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn fate_sent_unknown() {
    let (_server, client, mut peer) = ready().await;
    let reply = client.request("x", &()).send();
    peer.expect("x").await;
    drop(peer);
    assert!(matches!(
        soon("the fate", reply).await,
        Err(RequestError::SentUnknown)
    ));
}

#[tokio::test]
async fn fate_timed_out() {
    let (server, client, mut peer) = ready().await;
    let reply = client
        .request("x", &())
        .timeout(Duration::from_millis(80))
        .send();
    let asked = peer.expect("x").await;
    let fate = soon("the fate", reply).await;
    assert!(
        matches!(fate, Err(RequestError::TimedOut { sent: true })),
        "{fate:?}"
    );
    // The reply that comes too late harms nobody.
    peer.grant(&asked).await;
    let reply = client.request("y", &()).send();
    let asked = peer.expect("y").await;
    peer.grant(&asked).await;
    assert!(soon("the reply", reply).await.is_ok());

    // One that waits in the outbox of a client that is not even started.
    let idle = server.builder().build().expect("a client");
    let fate = idle
        .request("z", &())
        .queue()
        .timeout(Duration::from_millis(80));
    let fate = soon("the fate", fate.send()).await;
    assert!(
        matches!(fate, Err(RequestError::TimedOut { sent: false })),
        "{fate:?}"
    );
}

#[tokio::test]
async fn fate_not_sent() {
    let server = Server::bind().await;
    let client = server.builder().build().expect("a client");
    let fate = soon("the fate", client.request("x", &()).send()).await;
    assert!(
        matches!(fate, Err(RequestError::NotSent(NotSent::NotReady))),
        "{fate:?}"
    );
}

#[tokio::test]
async fn fate_cancelled() {
    let (_server, client, mut peer) = ready().await;
    let reply = client.request("x", &()).send();
    peer.expect("x").await;
    tokio::join!(client.close(), peer.closing());
    let fate = soon("the fate", reply).await;
    assert!(
        matches!(fate, Err(RequestError::Cancelled { sent: true })),
        "{fate:?}"
    );
}

#[tokio::test]
async fn data_that_is_no_json_is_the_callers_mistake() {
    let (_server, client, mut peer) = ready().await;
    let bad = std::collections::HashMap::from([((1, 2), 3)]);
    assert!(matches!(
        client.request("x", &bad).await,
        Err(RequestError::Encode(_))
    ));
    assert!(quiet(100, peer.text()).await, "nothing was sent");
}

#[tokio::test]
async fn a_dropped_future_cancels() {
    let server = Server::bind().await;
    let client = server.builder().build().expect("a client");
    let dropped = client.request("dropped", &()).queue().send();
    let kept = client.request("kept", &()).queue().send();
    drop(dropped);
    client.start();
    let mut peer = server.accept_login().await;
    let asked = peer.expect("kept").await;
    peer.grant(&asked).await;
    assert!(soon("the reply", kept).await.is_ok());
}

#[tokio::test]
async fn the_outbox_keeps_the_order_and_only_the_latest_of_a_key() {
    let server = Server::bind().await;
    let client = server.builder().build().expect("a client");
    let badge = NonZeroU32::new(7).expect("not zero");
    let first = client.request("a", &1).queue().send();
    let old = client.request("badge", &1).queue_latest(badge).send();
    let new = client.request("badge", &2).queue_latest(badge).send();
    let early = client.request("hello", &()).before_login().queue().send();
    let fate = soon("the fate", old).await;
    let superseded = RequestError::NotSent(NotSent::Dropped(DropReason::Superseded));
    assert_eq!(
        format!("{:?}", fate.expect_err("dropped")),
        format!("{superseded:?}")
    );

    client.start();
    let mut peer = server.accept().await;
    let asked = peer.expect("hello").await; // needs no login, so it goes first
    peer.grant(&asked).await;
    let login = peer.expect("login").await;
    peer.grant(&login).await;
    for (event, data) in [("a", 1), ("badge", 2)] {
        let asked = peer.expect(event).await;
        assert_eq!(asked.data, json!(data));
        peer.grant(&asked).await;
    }
    for reply in [first, new, early] {
        soon("the reply", reply).await.expect("granted");
    }
}

#[tokio::test]
async fn ten_thousand_requests_at_once_all_get_their_own_reply() {
    let (_server, client, mut peer) = ready().await;
    let replies: Vec<_> = (0..10_000)
        .map(|n| client.request("n", &n).send())
        .collect();
    let echo = tokio::spawn(async move {
        for _ in 0..10_000 {
            let asked = peer.expect("n").await;
            let body = asked.data.to_string();
            peer.grant_with(&asked, &body).await;
        }
        peer
    });
    for (n, reply) in replies.into_iter().enumerate() {
        let reply = soon("a reply", reply).await.expect("granted");
        assert_eq!(reply.parse_body::<usize>().expect("a number"), n);
    }
    soon("the echo", echo).await.expect("no panic");
}
