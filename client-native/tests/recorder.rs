//! The flight recorder: a real client's life is lived again from its trace.

mod scripted;

use heartline_client_native::{MemoryPositions, Push};
use heartline_protocol::{append_place, encode_attached};
use heartline_trace::{Outcome, Trace};
use scripted::{Server, soon};
use serde_json::json;

#[tokio::test]
async fn a_life_with_everything_in_it_is_lived_again() {
    let server = Server::bind().await;
    let client = server
        .builder()
        .durable("phone-1", MemoryPositions::default())
        .record(10_000)
        .connect()
        .expect("a client");
    let mut pushes = client.on("tab*").expect("a subscription");
    let _consumer = client
        .consume("chat*", |_: Push| async { Ok(()) })
        .expect("a consumer");
    for life in 0..3_u32 {
        let mut peer = server.accept_login().await;
        soon("the login", client.ready()).await.expect("ready");
        let reply = client.request("price", &json!({"secret": "tea"})).send();
        let asked = peer.expect("price").await;
        peer.grant(&asked).await;
        soon("the reply", reply).await.expect("granted");
        peer.push("tab1", json!(life)).await;
        peer.send(encode_attached("user:6", 0xfe, life)).await;
        let stored = append_place(r#"{"event":"chat1","msg":1}"#, "user:6", life + 1);
        peer.send(stored).await;
        soon("the push", pushes.recv())
            .await
            .expect("open")
            .expect("no gap");
        soon("the acknowledgement", peer.text())
            .await
            .expect("an acknowledgement");
        peer.close(1001, "").await;
    }
    client.stop();
    let json = client.trace().expect("recorded").to_json();
    for hidden in ["token", "secret", "tea", "localhost"] {
        assert!(!json.contains(hidden), "{hidden} is in the trace");
    }
    let trace = Trace::parse(&json).expect("a trace");
    let replayed = trace.lives[0].replay();
    assert_eq!(replayed.outcome, Outcome::Identical);
    assert!(replayed.outputs > 50, "{} outputs", replayed.outputs);
    let story: Vec<_> = trace.lives[0].story().collect();
    assert!(
        story
            .iter()
            .any(|line| line.contains("Durable") && line.contains("turn"))
    );
}

#[tokio::test]
async fn without_being_asked_nothing_is_recorded() {
    let server = Server::bind().await;
    let client = server.builder().build().expect("a client");
    assert!(client.trace().is_none());
}
