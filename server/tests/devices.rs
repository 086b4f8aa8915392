//! Many devices: who receives, in what order, and that one bad reader is nobody else's trouble.

mod line;

use heartline_server::metrics::Happening;
use line::{Line, login};
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test]
async fn all_devices_of_a_user_receive_and_nobody_elses() {
    let line = Line::start(|_| {}).await;
    let mut phone = line.logged_in("user:1").await;
    let mut tablet = line.logged_in("user:1").await;
    let mut others = [
        line.logged_in("user:10").await,
        line.logged_in("xxx:1").await,
        line.device().await,
    ];
    assert_eq!(
        line.push("event=chat1&msg=hi&to=user:1").await,
        (200, "ok".into())
    );
    assert!(phone.hear().await.contains("hi"));
    assert!(tablet.hear().await.contains("hi"));
    for other in &mut others {
        other.hears_nothing_else().await;
    }
    drop(phone);
    tokio::time::sleep(Duration::from_millis(200)).await;
    line.push("event=chat1&msg=again&to=user:1").await;
    assert!(tablet.hear().await.contains("again"));
}

#[tokio::test]
async fn a_connection_receives_once_for_its_last_user() {
    let line = Line::start(|_| {}).await;
    let mut device = line.logged_in("user:1").await;
    device.say(&login("user:1")).await;
    device.hear().await;
    line.push("event=chat1&msg=once&to=user:1,user:1,online:user:1")
        .await;
    assert!(device.hear().await.contains("once"));
    device.hears_nothing_else().await;

    device.say(&login("user:2")).await;
    device.hear().await;
    line.push("event=chat1&msg=old&to=user:1").await;
    line.push("event=chat1&msg=new&to=user:2").await;
    assert!(device.hear().await.contains("new"));
    device.hears_nothing_else().await;
}

#[tokio::test]
async fn every_device_sees_pushes_in_the_order_of_their_acceptance() {
    let line = Line::start(|_| {}).await;
    let mut devices = Vec::new();
    for user in 0..20 {
        devices.push(line.logged_in(&format!("user:{user}")).await);
    }
    let everyone: String = (0..20).map(|user| format!("user:{user},")).collect();
    // Four senders at once, each one push after another; now and then one for a single user.
    let send = async |sender: usize| {
        for count in 0..100 {
            let to = if count % 7 == 0 { "user:3" } else { &everyone };
            let form = format!("event=chat1&msg=%22{sender}:{count}%22&to={to}");
            assert_eq!(line.push(&form).await, (200, "ok".into()));
        }
    };
    tokio::join!(send(0), send(1), send(2), send(3));
    let mut orders = Vec::new();
    for (user, device) in devices.iter_mut().enumerate() {
        let expected = if user == 3 { 400 } else { 4 * 85 };
        let mut order = Vec::new();
        while order.len() < expected {
            let frame: serde_json::Value = serde_json::from_str(&device.hear().await).unwrap();
            order.push(frame["msg"].as_str().unwrap().to_owned());
        }
        device.hears_nothing_else().await;
        for sender in 0..4 {
            let own = order
                .iter()
                .filter_map(|text| text.strip_prefix(&format!("{sender}:")));
            let counts: Vec<usize> = own.map(|count| count.parse().unwrap()).collect();
            assert!(
                counts.is_sorted(),
                "user {user}, sender {sender}: {counts:?}"
            );
        }
        if user == 3 {
            let single =
                |text: &String| text.split_once(':').unwrap().1.parse::<usize>().unwrap() % 7 == 0;
            order.retain(|text| !single(text));
        }
        orders.push(order);
    }
    for (user, order) in orders.iter().enumerate() {
        assert_eq!(
            order, &orders[0],
            "user {user} sees the one order that all see"
        );
    }
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_delays_nobody() {
    let line = Line::start(|config| config.limits.outbound_queue_bytes = 256 * 1024).await;
    let mut frozen = line.logged_in("user:1").await;
    let mut lively = line.logged_in("user:1").await;
    let big = "x".repeat(200_000);
    let (mut pushed, mut slowest) = (0, Duration::ZERO);
    while line.server.metrics().total(Happening::SlowConsumer) == 0 {
        let began = Instant::now();
        let form = format!("event=chat1&msg={big}&to=user:1");
        assert_eq!(line.push(&form).await, (200, "ok".into()));
        slowest = slowest.max(began.elapsed());
        assert!(lively.hear().await.len() > 200_000);
        pushed += 1;
        assert!(pushed < 200, "40 MB wait for a bound of 256 KB");
    }
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    // It wakes up, reads what was in the socket, and finds out, rather than being told nothing.
    let mut received = 0;
    let code = loop {
        match frozen.next().await {
            Message::Text(_) => received += 1,
            Message::Close(frame) => break u16::from(frame.expect("a code").code),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, 4002);
    assert!(received < pushed, "{received} of {pushed}");
    lively.hears_nothing_else().await;
}

#[tokio::test]
async fn a_burst_of_pings_is_answered_in_full_even_if_read_late() {
    let line = Line::start(|_| {}).await;
    let device = line.logged_in("user:1").await;
    let mut other = line.logged_in("user:2").await;
    let count = 20_000;
    let (mut sink, mut stream) = futures::StreamExt::split(device.socket);
    let sending = tokio::spawn(async move {
        for number in 0..count {
            let ping = Message::text(format!(r#"{{"event":"ping","uuid":{number}}}"#));
            futures::SinkExt::send(&mut sink, ping).await.unwrap();
        }
        sink
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    other.hears_nothing_else().await;
    for number in 0..count {
        let Message::Text(text) = futures::StreamExt::next(&mut stream)
            .await
            .unwrap()
            .unwrap()
        else {
            panic!("a text")
        };
        assert!(
            text.starts_with(&format!(r#"{{"type":"respon","event":{number},"#)),
            "{text}"
        );
    }
    drop(sending.await.unwrap());
}
