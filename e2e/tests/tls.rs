//! The shipped binary with a certificate: a native client by `wss`, pushes by `https`, a new certificate by SIGHUP, and what a TLS
//! connection costs.

use heartline_client_native::Client;
use heartline_e2e::{ROLE_KEY_USER, Server, allow_many_files, rss_bytes, server_binary, signal};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// Connections over which memory is measured.
const CONNECTIONS: u64 = 1_000;
/// What one may cost at the most.
const MAX_BYTES: u64 = 64 * 1024;

/// Makes a certificate for `localhost` in this folder.
fn make_certificate(folder: &Path) -> rcgen::Certificate {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).expect("a file");
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).expect("a file");
    made.cert
}

fn serve(folder: &Path) -> Server {
    let mut command = Command::new(server_binary());
    command.args([
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--memory",
        "--loopback-push",
    ]);
    command.args(["--role-key", &format!("user={ROLE_KEY_USER}")]);
    command.arg("--tls-cert").arg(folder.join("cert.pem"));
    command.arg("--tls-key").arg(folder.join("key.pem"));
    Server::spawn(command)
}

/// A push by the server's own command line; whether it was answered `ok`.
fn push(server: &Server, ca_file: &Path, msg: &str) -> bool {
    let url = format!("https://localhost:{}/", server.address().port());
    let mut command = Command::new(server_binary());
    command.args([
        "push", "--url", &url, "--to", "user:6", "--event", "chat1", "--msg", msg,
    ]);
    let output = command
        .arg("--ca-file")
        .arg(ca_file)
        .output()
        .expect("the command runs");
    output.status.success()
}

async fn client(server: &Server, certificate: &rcgen::Certificate, user: &str) -> Client {
    let client = Client::builder(&format!("wss://localhost:{}", server.address().port()))
        .extra_root(certificate.der().clone())
        .classic_credentials(user, ROLE_KEY_USER)
        .expect("credentials")
        .connect()
        .expect("a client");
    let ready = tokio::time::timeout(Duration::from_secs(20), client.ready()).await;
    ready.expect("in time").expect("ready");
    client
}

#[tokio::test]
async fn wss_https_and_a_new_certificate() {
    let folder = tempfile::tempdir().expect("a folder");
    let first = make_certificate(folder.path());
    let server = serve(folder.path());
    let phone = client(&server, &first, "user:6").await;
    let mut pushes = phone.on("chat*").expect("a subscription");
    let ca_file = folder.path().join("cert.pem");
    assert!(push(&server, &ca_file, "by https"));
    let heard = pushes.recv().await.expect("open").expect("nothing lost");
    assert_eq!(heard.msg().map(|msg| msg.get()), Some("\"by https\""));

    let former = folder.path().join("former.pem");
    std::fs::copy(&ca_file, &former).expect("a copy");
    let second = make_certificate(folder.path());
    signal(server.pid(), "HUP");
    let is_new = || push(&server, &ca_file, "after the change");
    assert!((0..50).any(|_| is_new() || {
        std::thread::sleep(Duration::from_millis(100));
        false
    }));
    assert!(
        !push(&server, &former, "unseen"),
        "the former certificate is not shown any more"
    );
    client(&server, &second, "user:6").await.close().await;
    let heard = pushes.recv().await.expect("open").expect("nothing lost");
    assert_eq!(
        heard.msg().map(|msg| msg.get()),
        Some("\"after the change\""),
        "who was there is still there"
    );

    std::fs::write(folder.path().join("key.pem"), "nonsense").expect("a file");
    signal(server.pid(), "HUP");
    std::thread::sleep(Duration::from_millis(300));
    assert!(
        push(&server, &ca_file, "still"),
        "a bad pair changes nothing"
    );
}

#[tokio::test]
async fn an_idle_tls_connection_costs_what_the_page_says() {
    allow_many_files(4 * CONNECTIONS);
    let folder = tempfile::tempdir().expect("a folder");
    let certificate = make_certificate(folder.path());
    let server = serve(folder.path());
    let mut clients = Vec::new();
    for n in 0..50 {
        clients.push(client(&server, &certificate, &format!("user:{n}")).await);
    }
    let before = rss_bytes(server.pid());
    for n in 0..CONNECTIONS {
        clients.push(client(&server, &certificate, &format!("user:1{n}")).await);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let each = rss_bytes(server.pid()).saturating_sub(before) / CONNECTIONS;
    println!("{each} bytes of resident memory for each of {CONNECTIONS} logged-in TLS connections");
    assert!(each <= MAX_BYTES, "{each} bytes");
}
