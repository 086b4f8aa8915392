//! What the rest of the server says to a shard: a FIFO of commands and the waker of its poll. Whoever posts into an
//! empty mailbox wakes the shard; the shard takes all that is there in one go.

use super::frame::Frame;
use crate::delivery::Ready;
use crate::hub::{ConnectionRef, Permit, Place};
use crate::store::{Epoch, Offset};
use mio::Waker;
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::mpsc::UnboundedSender;

/// An order to a shard.
#[derive(Debug)]
pub enum Command {
    /// Take over an upgraded socket.
    Adopt(Box<Newcomer>),
    /// Deliver one frame.
    Deliver(Delivery),
    /// The store has answered a connection.
    Ready(Box<Ready>),
    /// Say how far the devices of these connections have been written to.
    Inspect(Box<Inspect>),
    /// Close every connection with its own reconnect advice, spread over this many milliseconds, and end when all are gone.
    Drain {
        /// The window of the advice.
        spread_ms: u64,
    },
    /// End now.
    Stop,
}

/// A question about attached connections of one shard. All is said when every sender of `reply` is gone.
#[derive(Debug)]
pub struct Inspect {
    /// Whom it is about.
    pub targets: Vec<ConnectionRef>,
    /// Where the answers go.
    pub reply: UnboundedSender<Seen>,
}

/// How far one device has been written to.
#[derive(Debug)]
pub struct Seen {
    /// The stream.
    pub stream: Box<str>,
    /// The device.
    pub device: Box<str>,
    /// The epoch in which it stands.
    pub epoch: Epoch,
    /// Everything up to here is in its socket, or in the queue before it.
    pub sent: Offset,
    /// Its app is hidden.
    pub is_parked: bool,
}

/// A socket whose WebSocket handshake is done.
#[derive(Debug)]
pub struct Newcomer {
    /// Non-blocking.
    pub socket: TcpStream,
    /// What the peer sent right after its handshake.
    pub first_bytes: Vec<u8>,
    /// Around the socket, where the port speaks TLS; its handshake is done.
    pub tls: Option<Box<rustls::ServerConnection>>,
    /// It has negotiated permessage-deflate.
    pub deflates: bool,
    /// Its leave to be here.
    pub permit: Permit,
}

/// One frame for some connections of one shard. Counted in the backlog for as long as it exists.
#[derive(Debug)]
pub struct Delivery {
    /// Encoded once, shared by all recipients of all shards.
    pub frame: Frame,
    /// Sorted, each once.
    pub targets: Box<[ConnectionRef]>,
    /// Of a stored push for those who are attached to the recipient's stream: where it stands there.
    pub place: Option<Box<Place>>,
    backlog: Arc<Backlog>,
    /// What the frame has in common with frames of other deliveries.
    _shared: Option<Arc<SharedBytes>>,
}

/// Bytes that frames of several deliveries share. They count in the backlog once, for as long as one of the deliveries exists.
#[derive(Debug)]
pub struct SharedBytes {
    bytes: usize,
    backlog: Arc<Backlog>,
}

impl SharedBytes {
    /// So many bytes that count in `backlog`.
    pub fn new(bytes: usize, backlog: &Arc<Backlog>) -> Arc<Self> {
        backlog.bytes.fetch_add(bytes, Relaxed);
        let backlog = backlog.clone();
        Arc::new(Self { bytes, backlog })
    }
}

impl Drop for SharedBytes {
    fn drop(&mut self) {
        self.backlog.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

impl Delivery {
    /// A delivery that counts in `backlog`; `shared` counts what its frame has in common with others.
    pub fn new(
        frame: Frame,
        targets: Box<[ConnectionRef]>,
        place: Option<&Place>,
        backlog: &Arc<Backlog>,
        shared: Option<&Arc<SharedBytes>>,
    ) -> Self {
        backlog.deliveries.fetch_add(targets.len(), Relaxed);
        backlog.bytes.fetch_add(frame.own_len(), Relaxed);
        Self {
            _shared: shared.cloned(),
            frame,
            targets,
            place: place.cloned().map(Box::new),
            backlog: backlog.clone(),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.backlog
            .deliveries
            .fetch_sub(self.targets.len(), Relaxed);
        self.backlog.bytes.fetch_sub(self.frame.own_len(), Relaxed);
    }
}

/// The commands that wait for one shard. Deliveries are bounded by [`Backlog`], newcomers by the door's permits.
#[derive(Debug)]
pub struct Mailbox {
    commands: Mutex<Vec<Command>>,
    waker: Waker,
}

impl Mailbox {
    /// An empty mailbox of the shard that `waker` wakes.
    pub fn new(waker: Waker) -> Self {
        Self {
            commands: Mutex::default(),
            waker,
        }
    }

    /// Adds a command behind all earlier ones.
    pub fn post(&self, command: Command) {
        let mut commands = self.commands.lock().unwrap_or_else(PoisonError::into_inner);
        commands.push(command);
        if commands.len() == 1
            && let Err(error) = self.waker.wake()
        {
            // The shard sweeps at least once per second while it has connections; the command waits till then.
            tracing::error!(%error, "a shard could not be woken");
        }
    }

    /// Takes all commands, in order.
    pub fn take(&self) -> Vec<Command> {
        std::mem::take(&mut *self.commands.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Deliveries that were accepted and not yet made, over all shards. At its bound pushes are refused (503) until the
/// shards have caught up. A slow device does not count here: what waits for it is in its own bounded queue.
#[derive(Debug, Default)]
pub struct Backlog {
    deliveries: AtomicUsize,
    bytes: AtomicUsize,
}

impl Backlog {
    /// Deliveries that may wait: a few seconds of work for one core.
    const MAX_DELIVERIES: usize = 1_000_000;
    /// Bytes of distinct frames that may wait.
    const MAX_BYTES: usize = 256 * 1024 * 1024;

    /// Whether nothing more may be added.
    pub fn is_full(&self) -> bool {
        self.deliveries.load(Relaxed) >= Self::MAX_DELIVERIES
            || self.bytes.load(Relaxed) >= Self::MAX_BYTES
    }

    /// Deliveries and bytes that wait.
    pub fn waiting(&self) -> (usize, usize) {
        (self.deliveries.load(Relaxed), self.bytes.load(Relaxed))
    }
}
