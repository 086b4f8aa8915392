//! The native client and the server together: devices that receive, are cut off, and come back by themselves.

use std::time::{Duration, Instant};

use heartline_client_native::{Backoff, Client, Push, Pushes, RequestError};
use heartline_e2e::{CuttableProxy, ROLE_KEY_USER, Stage, free_port};
use tokio::time::timeout;

/// The reconnect interval of these devices, as the classic option `reConnectTime` sets it.
const INTERVAL: Duration = Duration::from_millis(1_000);
/// Allowed to a busy machine beyond what the interval says.
const SLACK: Duration = Duration::from_millis(1_500);
const SOON: Duration = Duration::from_secs(10);

/// A device at an address, its chat pushes, ready.
async fn device(address: std::net::SocketAddr, user: &str) -> (Client, Pushes) {
    let client = Client::builder(&format!("ws://{address}/"))
        .classic_credentials(user, ROLE_KEY_USER)
        .expect("a user")
        .backoff(Backoff::Fixed {
            delay_ms: INTERVAL.as_millis() as u32,
        })
        .configure(|config| {
            config.heartbeat_interval_ms = 500;
            config.heartbeat_grace_ms = 500;
        })
        .build()
        .expect("a client");
    let pushes = client.on("chat*").expect("a subscription");
    client.start();
    ready(&client, SOON).await;
    (client, pushes)
}

async fn ready(client: &Client, within: Duration) {
    timeout(within, client.ready())
        .await
        .expect("logged in, in time")
        .expect("a line that is not closed for good");
}

async fn next(pushes: &mut Pushes) -> Push {
    timeout(SOON, pushes.recv())
        .await
        .expect("a push, in time")
        .expect("an open client")
        .expect("no push lost")
}

async fn next_msg(pushes: &mut Pushes) -> String {
    next(pushes).await.parse_msg().expect("a text")
}

/// Waits until a ready client has noticed that its line is gone.
async fn lost(client: &Client) {
    let mut states = client.states();
    let gone = states.wait_for(|phase| !phase.is_login());
    timeout(SOON, gone)
        .await
        .expect("the loss is noticed")
        .expect("a living client");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_devices_of_one_user_receive_and_the_device_of_another_does_not() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let (phone, mut on_phone) = device(server.address(), "user:6").await;
    let (tablet, mut on_tablet) = device(server.address(), "user:6").await;
    let (other, mut on_other) = device(server.address(), "user:66").await;
    server.push_chat("user:6", "for six");
    assert_eq!(next_msg(&mut on_phone).await, "for six");
    assert_eq!(next_msg(&mut on_tablet).await, "for six");
    server.push_chat("user:66", "for sixty-six");
    assert_eq!(
        next_msg(&mut on_other).await,
        "for sixty-six",
        "and this is the first that it sees"
    );
    for client in [phone, tablet, other] {
        client.close().await;
        assert_eq!(client.tasks(), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_cut_is_back_and_logged_in_within_its_interval() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let proxy = CuttableProxy::start(server.address());
    let (cut, mut on_cut) = device(proxy.address(), "user:6").await;
    let (steady, mut on_steady) = device(server.address(), "user:6").await;
    for round in 0..3 {
        let start = Instant::now();
        proxy.cut();
        lost(&cut).await;
        ready(&cut, INTERVAL + SLACK).await;
        println!("round {round}: back after {:?}", start.elapsed());
        assert!(start.elapsed() <= INTERVAL + SLACK, "{:?}", start.elapsed());
        let msg = format!("round {round}");
        server.push_chat("user:6", &msg);
        assert_eq!(next_msg(&mut on_cut).await, msg, "once, on the new line");
        assert_eq!(next_msg(&mut on_steady).await, msg);
    }
    assert_eq!(proxy.accepted(), 4, "one attempt for each cut");
    cut.close().await;
    steady.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_open_link_is_noticed_and_replaced() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let proxy = CuttableProxy::start(server.address());
    let (client, mut pushes) = device(proxy.address(), "user:6").await;
    proxy.fall_silent();
    lost(&client).await;
    proxy.speak();
    // A dial may have begun in the silence: it must time out first.
    ready(&client, Duration::from_secs(30)).await;
    server.push_chat("user:6", "heard again");
    assert_eq!(next_msg(&mut pushes).await, "heard again");
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crashed_and_restarted_server_has_its_devices_back() {
    let stage = Stage::shared();
    let port = free_port();
    let mut server = stage.server_on(port, &[]);
    let mut devices = Vec::new();
    for id in 0..10 {
        devices.push(device(server.address(), &format!("user:{id}")).await);
    }
    server.kill_hard();
    for (client, _) in &devices {
        lost(client).await;
    }
    let server = stage.server_on(port, &[]);
    for (id, (client, pushes)) in devices.iter_mut().enumerate() {
        ready(client, INTERVAL + SLACK).await;
        server.push_chat(&format!("user:{id}"), "welcome back");
        assert_eq!(next_msg(pushes).await, "welcome back");
    }
    for (client, _) in devices {
        client.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_and_restarted_server_has_its_devices_back_at_their_slots() {
    let stage = Stage::shared();
    let port = free_port();
    let mut server = stage.server_on(port, &["--drain-window-ms", "1000"]);
    let (client, mut pushes) = device(server.address(), "user:6").await;
    server.terminate();
    lost(&client).await;
    assert!(
        server
            .wait_exit(SOON)
            .is_some_and(|status| status.success())
    );
    let server = stage.server_on(port, &[]);
    ready(&client, SOON).await;
    server.push_chat("user:6", "welcome back");
    assert_eq!(next_msg(&mut pushes).await, "welcome back");
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_bots_receive_everything_in_order() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let mut bots = Vec::new();
    for id in 0..200 {
        bots.push(device(server.address(), &format!("user:{}", id % 20)).await);
    }
    let all: Vec<_> = (0..20).map(|id| format!("user:{id}")).collect();
    for number in 0..50 {
        server.push_chat(&all.join(","), &format!("\"{number}\""));
    }
    for (_, pushes) in &mut bots {
        for number in 0..50 {
            assert_eq!(next_msg(pushes).await, number.to_string());
        }
    }
    for (client, _) in bots {
        client.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_refuses_settles_as_refused() {
    let stage = Stage::shared();
    let server = stage.server(&[]);
    let (client, _pushes) = device(server.address(), "user:6").await;
    let refusal = client
        .request("unheard-of", &serde_json::json!({"a": 1}))
        .await;
    assert!(
        matches!(refusal, Err(RequestError::Refused { .. })),
        "{refusal:?}"
    );
    client.close().await;
}
