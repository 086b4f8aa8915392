//! A thousand clients in one process: each is logged in, each hears its own push, all come back, none leaves a task.

mod scripted;

use scripted::{Peer, Server, soon};
use serde_json::json;

const CLIENTS: usize = 1_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients() {
    let server = Server::bind().await;
    let before = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|n| {
            server
                .builder()
                .credentials(format!("user:{n}"), "t")
                // The scripted server takes them one after another, which may last.
                .configure(|config| {
                    config.dial_timeout_ms = 120_000;
                    config.login_timeout_ms = 120_000;
                })
                .connect()
                .expect("a client")
        })
        .collect();
    let mut pushes: Vec<_> = clients
        .iter()
        .map(|client| client.on("chat*").expect("on"))
        .collect();

    let mut peers = accept_all(&server).await;
    for client in &clients {
        soon("a login", client.ready()).await.expect("ready");
    }
    for (n, peer) in &mut peers {
        peer.push("chat1", json!(n)).await;
    }
    for (n, pushes) in pushes.iter_mut().enumerate() {
        let push = soon("a push", pushes.recv())
            .await
            .expect("open")
            .expect("no gap");
        assert_eq!(push.parse_msg::<usize>().expect("a number"), n);
    }

    drop(peers); // the server falls, and rises
    let peers = accept_all(&server).await;
    for client in &clients {
        soon("a login", client.ready()).await.expect("ready");
    }

    let closing = peers
        .into_iter()
        .map(|(_, mut peer)| async move { peer.closing().await });
    let closing = tokio::spawn(futures::future::join_all(closing.collect::<Vec<_>>()));
    soon(
        "the close",
        futures::future::join_all(clients.iter().map(|c| c.close())),
    )
    .await;
    let codes = soon("the closing frames", closing).await.expect("no panic");
    assert!(
        codes.iter().all(|code| *code == Some(1000)),
        "each client said good-bye"
    );
    assert!(clients.iter().all(|client| client.tasks() == 0));
    // A task that has ended is counted for a moment longer.
    let ended = async {
        while tokio::runtime::Handle::current()
            .metrics()
            .num_alive_tasks()
            > before
        {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    soon("the end of every task", ended).await;
}

/// Every client's socket, logged in, with the client's number.
async fn accept_all(server: &Server) -> Vec<(usize, Peer)> {
    // All are taken from the listener's queue first: it is shorter than the crowd, and whoever finds it full tries
    // again only after seconds.
    let mut arrived = Vec::new();
    for _ in 0..CLIENTS {
        arrived.push(server.accept_tcp().await);
    }
    let mut peers = Vec::new();
    for tcp in arrived {
        let mut peer = server.greet(tcp).await;
        let login = peer.expect("login").await;
        peer.grant(&login).await;
        let user = login.data["u"].as_str().expect("a text");
        peers.push((user["user:".len()..].parse().expect("a number"), peer));
    }
    peers
}
