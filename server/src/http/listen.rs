//! Accepting: every connection of the port comes in here. A peer that cannot be let in is turned away; an operating
//! system that has no sockets left makes a pause, not an end.

use super::connection::serve;
use super::route::Site;
use crate::auth::{Caller, Port};
use crate::metrics::Happening;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Connections that the kernel holds for us while we are busy.
const BACKLOG: i32 = 4_096;
/// Bytes that the kernel may hold for one peer (it doubles the number for its own bookkeeping).
const SEND_BUFFER: usize = 256 * 1024;
/// After an accept that failed for want of resources.
const PAUSE: Duration = Duration::from_millis(100);

/// Opens the port.
///
/// # Errors
/// The operating system's: the address is in use, or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the connections of its predecessor to be forgotten.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    // Accepted sockets inherit it. Left alone, the kernel would hold megabytes for a peer that does not read, beside
    // the queue that we bound, and such a peer would be noticed late.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// The accept loop.
#[derive(Debug)]
pub struct Listening {
    /// The open port.
    pub listener: TcpListener,
    /// Which of the two it is.
    pub port: Port,
    /// What its connections are served from.
    pub site: Arc<Site>,
    /// No further connection when this is cancelled.
    pub leaving: CancellationToken,
}

impl Listening {
    /// Accepts until the server leaves.
    pub async fn run(self) {
        let Self {
            listener,
            port,
            site,
            leaving,
        } = self;
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                () = leaving.cancelled() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_peer(&error) => continue,
                Err(error) => {
                    site.world.metrics.note(Happening::AcceptFailed, error);
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let peer = peer.ip().to_canonical();
            match site.lobby.enter(peer) {
                Ok(permit) => {
                    // A ping or a badge is small and must not wait for more.
                    let _ = stream.set_nodelay(true);
                    let caller = Caller { peer, port };
                    let served = serve(site.clone(), stream, caller, permit, leaving.clone());
                    site.tasks.spawn(served);
                }
                Err(reason) => site
                    .world
                    .metrics
                    .note(Happening::TooManyConnections, reason),
            }
        }
    }
}

/// Errors that speak of the connection that was to be accepted, not of us.
fn is_of_one_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}
