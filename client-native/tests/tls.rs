//! Stories of `wss`: a certificate that is trusted, one that is not, and one of another name.

mod scripted;

use std::sync::Arc;

use heartline_client_native::{CloseReason, News};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use scripted::{Server, soon};

/// A server whose certificate is for this name, and the certificate.
async fn server_named(name: &str) -> (Server, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    let certificate = cert.der().clone();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .expect("a usable certificate");
    (Server::bind_tls(config).await, certificate)
}

#[tokio::test]
async fn a_trusted_certificate_is_accepted() {
    let (server, certificate) = server_named("localhost").await;
    let client = server
        .builder()
        .extra_root(certificate)
        .connect()
        .expect("a client");
    let mut peer = server.accept_login().await;
    soon("the login", client.ready()).await.expect("ready");
    let reply = client.request("secret", &1).send();
    let asked = peer.expect("secret").await;
    peer.grant(&asked).await;
    soon("the reply", reply).await.expect("granted");
    let (code, ()) = tokio::join!(peer.closing(), client.close());
    assert_eq!(code, Some(1000));
}

#[tokio::test]
async fn an_unknown_certificate_is_refused() {
    let (server, _) = server_named("localhost").await;
    let client = server.builder().build().expect("a client");
    refused(&server, client).await;
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let (server, certificate) = server_named("elsewhere.example").await;
    let client = server
        .builder()
        .extra_root(certificate)
        .build()
        .expect("a client");
    refused(&server, client).await;
}

async fn refused(server: &Server, client: heartline_client_native::Client) {
    let mut news = client.news();
    client.start();
    let handshake = server.try_accept_tls();
    let reason = async {
        loop {
            if let News::Disconnected { reason, .. } = news.recv().await.expect("news") {
                return reason;
            }
        }
    };
    let (handshake, reason) = soon("the refusal", async { tokio::join!(handshake, reason) }).await;
    assert!(handshake.is_err(), "the client breaks the handshake off");
    assert_eq!(reason, CloseReason::DialFailed);
    assert!(!client.phase().is_open());
}
