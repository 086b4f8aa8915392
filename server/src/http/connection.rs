//! One HTTP connection: hyper with bounds on headers and their time, until it ends, upgrades, or the server leaves.

use super::answer::Answer;
use super::guard::Guard;
use super::patience::{PatientTimer, within};
use super::route::{Site, route};
use super::stream::Stream;
use crate::auth::{Caller, Port};
use crate::hub::Permit;
use crate::metrics::Happening;
use hyper::body::Incoming;
use hyper::header::CONNECTION;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Version};
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

/// What a request's header may take to come, and how long a connection may wait for its next request.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
/// What a TLS handshake may take.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of a request's header.
const MAX_HEADER_BYTES: usize = 32 * 1024;

/// Serves a connection to its end.
pub(super) async fn serve(
    site: Arc<Site>,
    stream: TcpStream,
    caller: Caller,
    permit: Permit,
    leaving: CancellationToken,
) {
    // Backends use the push port by an address of this machine or of a private network, which no certificate names.
    let tls = site.tls.as_ref().filter(|_| caller.port == Port::Public);
    let stream = match tls {
        None => Stream::Plain(stream),
        Some(tls) => {
            let handshake = Stream::secure(stream, tls.present());
            let outcome = tokio::select! {
                outcome = within(HANDSHAKE_DEADLINE, handshake) => outcome,
                () = leaving.cancelled() => return,
            };
            match outcome {
                Ok(Ok(stream)) => stream,
                Ok(Err(error)) => {
                    return site.world.metrics.note(Happening::TlsRefused, error);
                }
                Err(_) => {
                    let reason = "the TLS handshake did not end in time";
                    return site.world.metrics.note(Happening::TlsRefused, reason);
                }
            }
        }
    };
    let linger = Arc::new(AtomicBool::new(false));
    let io = TokioIo::new(Guard::new(stream, linger.clone()));
    let is_leaving = leaving.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        let (site, linger, is_leaving) = (site.clone(), linger.clone(), is_leaving.clone());
        async move {
            let version = request.version();
            let mut response = route(&site, caller, request).await;
            if version < Version::HTTP_11 || is_leaving.is_cancelled() {
                promise_nothing(&mut response);
            }
            if response.status().is_client_error() || response.status().is_server_error() {
                linger.store(true, Relaxed);
            }
            Ok::<_, Infallible>(response)
        }
    });
    let connection = http1::Builder::new()
        .timer(PatientTimer)
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(MAX_HEADER_BYTES)
        // A caller may close its side once its request is out: its answer is due all the same.
        .half_close(true)
        // `Sec-Websocket-Accept` and not all small letters: some devices' clients compare too strictly.
        .title_case_headers(true)
        .serve_connection(io, service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = leaving.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = outcome {
        // A peer that went away, was too slow, or spoke no HTTP: its own affair.
        tracing::debug!(%error, "an HTTP connection ended");
    }
    drop(permit);
}

/// `Connection: keep-alive` is said only where the connection stays: to a peer of HTTP/1.0 hyper says it where the peer has
/// asked for it, and a server that leaves closes after this answer.
fn promise_nothing(response: &mut Answer) {
    let is_promise = |value: &hyper::header::HeaderValue| value == "keep-alive";
    if response.headers().get(CONNECTION).is_some_and(is_promise) {
        response.headers_mut().remove(CONNECTION);
    }
}
