//! Stories of pushes: who hears what, in which order, and what happens when nobody reads.

mod scripted;

use futures::StreamExt;
use heartline_client_native::{Lagged, Push};
use scripted::{Server, quiet, soon};
use serde_json::json;

#[tokio::test]
async fn patterns_decide_who_hears() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut exact = client.on("chat1").expect("a subscription");
    let mut prefix = client.on("chat*").expect("a subscription");
    let mut all = client.on("*").expect("a subscription");
    let mut peer = server.accept_login().await;
    for event in ["chat1", "chat12", "user_tabbar", "Chat1"] {
        peer.push(event, json!(event)).await;
    }
    let heard = |pushes: Vec<Result<Push, Lagged>>| {
        let event = |push: Result<Push, Lagged>| push.expect("no gap").event().to_owned();
        pushes.into_iter().map(event).collect::<Vec<_>>()
    };
    let events = heard(soon("all", all.by_ref().take(4).collect()).await);
    assert_eq!(events, ["chat1", "chat12", "user_tabbar", "Chat1"]);
    assert_eq!(
        heard(soon("prefix", prefix.by_ref().take(2).collect()).await),
        ["chat1", "chat12"]
    );
    assert_eq!(
        heard(soon("exact", exact.by_ref().take(1).collect()).await),
        ["chat1"]
    );
    assert!(quiet(50, exact.recv()).await && quiet(50, prefix.recv()).await);

    for bad in ["", &"x".repeat(100_000)] {
        assert!(client.on(bad).is_err());
    }
}

#[tokio::test]
async fn a_subscription_outlives_the_line_and_hears_each_push_once() {
    let server = Server::bind().await;
    let client = server.builder().connect().expect("a client");
    let mut chats = client.on("chat*").expect("a subscription");
    let gone = client.on("chat*").expect("a subscription");
    drop(gone);
    for n in 0..3 {
        let mut peer = server.accept_login().await;
        peer.push("chat1", json!(n)).await;
        let push = soon("the push", chats.recv())
            .await
            .expect("open")
            .expect("no gap");
        assert_eq!(push.parse_msg::<u32>().expect("a number"), n);
    }
    assert!(quiet(100, chats.recv()).await);
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_told_how_much_it_lost() {
    let server = Server::bind().await;
    let client = server
        .builder()
        .push_buffer(10)
        .connect()
        .expect("a client");
    let mut slow = client.on("chat*").expect("a subscription");
    let mut done = client.on("done").expect("a subscription");
    let mut peer = server.accept_login().await;
    for n in 0..100 {
        peer.push("chat1", json!(n)).await;
    }
    peer.push("done", json!(0)).await;
    soon("everything", done.recv())
        .await
        .expect("open")
        .expect("no gap");

    for n in 0..10 {
        let push = slow.recv().await.expect("open").expect("no gap yet");
        assert_eq!(push.parse_msg::<u32>().expect("a number"), n);
    }
    assert_eq!(
        slow.recv().await.expect("open").expect_err("the gap"),
        Lagged(90)
    );
    peer.push("chat1", json!("after")).await;
    let push = soon("the next", slow.recv())
        .await
        .expect("open")
        .expect("no gap");
    assert_eq!(push.parse_msg::<String>().expect("a text"), "after");
}
