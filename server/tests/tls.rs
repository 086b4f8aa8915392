//! The port with TLS: the same rooms behind it, the same bounds.

mod line;

use futures::{SinkExt, StreamExt};
use heartline_server::metrics::Happening;
use heartline_server::tls::TlsFiles;
use heartline_server::{Config, Server};
use line::{Line, PATIENCE, login};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// A folder with a certificate of its own for `localhost`.
struct Certificate(tempfile::TempDir);

impl Certificate {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.renew();
        folder
    }

    /// Puts another certificate and key into the place of the former ones.
    fn renew(&self) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(self.files().cert, made.cert.pem()).unwrap();
        fs::write(self.files().key, made.signing_key.serialize_pem()).unwrap();
    }

    fn files(&self) -> TlsFiles {
        TlsFiles {
            cert: self.0.path().join("cert.pem"),
            key: self.0.path().join("key.pem"),
        }
    }
}

fn with_tls(files: TlsFiles) -> impl FnOnce(&mut Config) {
    move |config| config.tls = Some(files)
}

/// TLS to the server, trusting what is in this file now.
async fn dial(line: &Line, trusted: &Path) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_file(trusted).unwrap())
        .unwrap();
    let config =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
    let socket = TcpStream::connect(line.address).await?;
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, socket)
        .await
}

type Device = WebSocketStream<TlsStream<TcpStream>>;

async fn device(line: &Line, trusted: &Path) -> Device {
    let stream = dial(line, trusted).await.expect("a TLS handshake");
    let (socket, _) = tokio_tungstenite::client_async("wss://localhost/", stream)
        .await
        .expect("a WebSocket");
    socket
}

async fn logged_in(line: &Line, trusted: &Path) -> Device {
    let mut device = device(line, trusted).await;
    device.send(Message::text(login("user:6"))).await.unwrap();
    assert!(hear(&mut device).await.contains("登录成功"));
    device
}

async fn hear(device: &mut Device) -> String {
    loop {
        let message = tokio::time::timeout(PATIENCE, device.next())
            .await
            .expect("in time");
        match message
            .expect("the connection is open")
            .expect("well-formed")
        {
            Message::Text(text) if text.starts_with(r#"{"type":"ping""#) => {}
            Message::Text(text) => return text.to_string(),
            other => panic!("not a text: {other:?}"),
        }
    }
}

/// A push over TLS: the answer, head and body.
async fn push(line: &Line, trusted: &Path, form: &str) -> String {
    let mut stream = dial(line, trusted).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer))
        .await
        .unwrap()
        .unwrap();
    answer
}

#[tokio::test]
async fn devices_and_pushes_come_through_tls() {
    let certificate = Certificate::new();
    let trusted = certificate.files().cert;
    let line = Line::start(with_tls(certificate.files())).await;
    let mut phone = logged_in(&line, &trusted).await;
    for n in 0..50 {
        let answer = push(
            &line,
            &trusted,
            &format!("event=chat1&msg={n}&to=user:6&type=app"),
        )
        .await;
        assert!(
            answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"),
            "{answer}"
        );
    }
    for n in 0..50 {
        assert_eq!(
            hear(&mut phone).await,
            format!(r#"{{"event":"chat1","msg":{n},"to":"user:6","type":"app"}}"#)
        );
    }
    phone
        .send(Message::text(r#"{"event":"ping","uuid":1}"#))
        .await
        .unwrap();
    assert!(hear(&mut phone).await.contains("PING"));
    phone.close(None).await.unwrap();
    let end = tokio::time::timeout(PATIENCE, phone.next()).await.unwrap();
    assert!(matches!(end, Some(Ok(Message::Close(_))) | None), "{end:?}");
}

#[tokio::test]
async fn a_large_push_and_a_large_message_pass_in_pieces() {
    let certificate = Certificate::new();
    let trusted = certificate.files().cert;
    let line = Line::start(with_tls(certificate.files())).await;
    let mut phone = logged_in(&line, &trusted).await;
    let text = "x".repeat(1_900_000);
    let answer = push(
        &line,
        &trusted,
        &format!("event=chat1&msg={text}&to=user:6&type=app"),
    )
    .await;
    assert!(answer.ends_with("ok"), "{answer}");
    assert!(hear(&mut phone).await.len() > text.len());
    let uuid = "u".repeat(10_000);
    let padding = "p".repeat(900_000);
    phone
        .send(Message::text(format!(
            r#"{{"event":"ping","data":"{padding}","uuid":"{uuid}"}}"#
        )))
        .await
        .unwrap();
    assert!(hear(&mut phone).await.contains(&uuid));
}

#[tokio::test]
async fn messages_that_come_with_the_handshake_are_not_left_lying() {
    let certificate = Certificate::new();
    let line = Line::start(with_tls(certificate.files())).await;
    let mut stream = dial(&line, &certificate.files().cert).await.unwrap();
    let mut bytes = line::handshake_and(&[]);
    for n in 0..100 {
        let text = format!(r#"{{"event":"ping","uuid":{n}}}"#);
        bytes.extend([0x81, 0x80 | text.len() as u8, 0, 0, 0, 0]);
        bytes.extend(text.as_bytes());
    }
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    let has_all = |answer: &[u8]| String::from_utf8_lossy(answer).contains(r#""event":99,"#);
    while !has_all(&answer) {
        let count = tokio::time::timeout(PATIENCE, stream.read_buf(&mut answer))
            .await
            .expect("in time")
            .unwrap();
        assert_ne!(count, 0, "closed");
    }
}

#[tokio::test]
async fn who_does_not_read_is_closed_and_costs_no_more_than_its_bound() {
    let certificate = Certificate::new();
    let trusted = certificate.files().cert;
    let line = Line::start(|config| {
        config.tls = Some(certificate.files());
        config.limits.outbound_queue_bytes = 256 * 1024;
    })
    .await;
    let slow = logged_in(&line, &trusted).await;
    let mut other = logged_in(&line, &trusted).await;
    let text = "x".repeat(200_000);
    let mut heard = 0;
    for _ in 0..60 {
        push(
            &line,
            &trusted,
            &format!("event=chat1&msg={text}&to=user:6&type=app"),
        )
        .await;
        hear(&mut other).await;
        heard += 1;
        if line.server.metrics().total(Happening::SlowConsumer) > 0 {
            break;
        }
    }
    assert_eq!(
        line.server.metrics().total(Happening::SlowConsumer),
        1,
        "after {heard} pushes"
    );
    drop(slow);
}

#[tokio::test]
async fn what_is_no_tls_is_turned_away_and_counted() {
    let certificate = Certificate::new();
    let line = Line::start(with_tls(certificate.files())).await;
    let answer = line.raw(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    for _ in 0..100 {
        if line.server.metrics().total(Happening::TlsRefused) == 1 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it was not counted");
}

#[tokio::test]
async fn a_new_certificate_is_for_those_who_come_and_a_bad_one_for_nobody() {
    let certificate = Certificate::new();
    let former = certificate.0.path().join("former.pem");
    fs::copy(certificate.files().cert, &former).unwrap();
    let line = Line::start(with_tls(certificate.files())).await;
    let mut phone = logged_in(&line, &former).await;

    certificate.renew();
    assert!(line.server.reload_tls().unwrap());
    assert!(
        dial(&line, &former).await.is_err(),
        "the former one is not shown any more"
    );
    push(
        &line,
        &certificate.files().cert,
        "event=chat1&msg=still&to=user:6&type=app",
    )
    .await;
    assert!(
        hear(&mut phone).await.contains("still"),
        "who is there stays"
    );

    let good = certificate.0.path().join("good.pem");
    fs::copy(certificate.files().cert, &good).unwrap();
    fs::copy(&former, certificate.files().cert).unwrap();
    let error = line.server.reload_tls().unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the key is not that of the certificate"),
        "{error}"
    );
    fs::write(certificate.files().key, "nonsense").unwrap();
    assert!(
        line.server
            .reload_tls()
            .unwrap_err()
            .to_string()
            .contains("key.pem")
    );
    assert_eq!(line.server.metrics().total(Happening::TlsReloadFailed), 2);
    logged_in(&line, &good).await;
}

#[tokio::test]
async fn a_server_without_a_usable_certificate_does_not_start() {
    let certificate = Certificate::new();
    fs::write(certificate.files().cert, "").unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: Some(certificate.files()),
        ..Config::default()
    };
    let error = Server::start(config).await.unwrap_err().to_string();
    assert!(error.contains("cert.pem: it is empty"), "{error}");
}
