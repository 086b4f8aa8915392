//! A device changes its user on one connection, while pushes to the former user go on as fast as they can: once the new login is answered,
//! nothing of the former user's arrives. In each form of both logins, with stored and with transient pushes.

mod line;

use heartline_protocol::classic_token;
use line::{Line, login};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Without the rule, a push of the former user's came within 1 to 25 rounds. The shard's own stories (`net/shard/tests`) leave nothing to
/// chance.
const ROUNDS: usize = 25;
/// Connections that push.
const PUSHERS: usize = 4;
/// Requests in one write.
const PIPELINED: usize = 32;

/// Pushes to `to` until `ends`, many at a time.
async fn flood(address: SocketAddr, to: &str, is_transient: bool, ends: Arc<AtomicBool>) {
    let body =
        json!({"to": to, "event": "chat1", "msg": to, "transient": is_transient}).to_string();
    let request = format!(
        "POST /api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut socket = TcpStream::connect(address).await.unwrap();
    let mut answers = Vec::new();
    while !ends.load(Relaxed) {
        let requests = request.repeat(PIPELINED);
        socket.write_all(requests.as_bytes()).await.unwrap();
        answers.clear();
        const OK: &str = "HTTP/1.1 200 ";
        let count = |answers: &[u8]| {
            let text = String::from_utf8_lossy(answers);
            let statuses = text.match_indices("HTTP/1.1 ");
            // The last one may have come in part.
            let statuses =
                statuses.map(|(at, _)| text[at..].get(..OK.len()).unwrap_or(&text[at..]));
            let (whole, parts): (Vec<_>, Vec<_>) = statuses.partition(|status| *status == OK);
            assert!(parts.iter().all(|part| OK.starts_with(part)), "{text}");
            whole.len()
        };
        while count(&answers) < PIPELINED {
            assert_ne!(socket.read_buf(&mut answers).await.unwrap(), 0);
        }
    }
}

/// The login of a user, as a device that names itself or does not.
fn login_as(user: &str, is_attached: bool) -> String {
    if !is_attached {
        return login(user);
    }
    let token = classic_token(&user[5..], "K");
    json!({"event":"login","uuid":1,"data":{"u":user,"token":token,"$hl":{"v":1,"device":"phone","at":{}}}}).to_string()
}

async fn switches(is_attached: bool, becomes_attached: bool, is_transient: bool) {
    let line = Line::start(|config| config.limits.frames_per_second = 1_000).await;
    let ends = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = (0..PUSHERS)
        .map(|_| tokio::spawn(flood(line.address, "user:1", is_transient, ends.clone())))
        .collect();
    for round in 0..ROUNDS {
        let mut device = line.device().await;
        device.say(&login_as("user:1", is_attached)).await;
        // It is in the middle of them.
        while !device.hear().await.contains(r#""msg":"user:1""#) {}
        let marker = login_as("user:2", becomes_attached).replace(r#""uuid":1"#, r#""uuid":"two""#);
        device.say(&marker).await;
        while !device.hear().await.contains(r#""event":"two""#) {}
        // The pushes that were on their way are long through when this one is.
        let body = json!({"to":"user:2","event":"chat1","msg":round,"transient":is_transient});
        let body = body.to_string();
        let request = format!(
            "POST /api/v1/push HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        assert_eq!(line.http(&request).await.0, 200);
        loop {
            let text = device.hear().await;
            let message: Value = serde_json::from_str(&text).unwrap();
            assert_ne!(message["msg"], "user:1", "round {round}: {text}");
            if message["msg"] == round {
                break;
            }
        }
    }
    ends.store(true, Relaxed);
    for flood in floods {
        flood.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn classic_to_classic_stored() {
    switches(false, false, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn classic_to_classic_transient() {
    switches(false, false, true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attached_to_classic_stored() {
    switches(true, false, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn attached_to_attached_transient() {
    switches(true, true, true).await;
}
