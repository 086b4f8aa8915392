//! Everything that can happen, as the calendar holds it.

use crate::network::LinkId;
use heartline_client_core::{Epoch, PayloadRef, RequestId, StreamId};
use heartline_server::delivery::{PageFacts, Start};

/// One event. What belongs to a life (of an app, of the server) that has ended since is dropped when it comes.
#[derive(Debug)]
pub enum Event {
    /// The next frame of a connection arrives at the server.
    Up(LinkId),
    /// The next frame of a connection arrives at the device.
    Down(LinkId),
    /// The server accepts a connection.
    Accepted(LinkId),
    /// The server learns that a connection is dead.
    ServerLearns(LinkId),
    /// Something happens to a device.
    Device(usize, u32, DeviceEvent),
    /// A guest does something.
    Guest(usize),
    /// Something happens at the server.
    Server(u32, ServerEvent),
    /// A quarter of a second has passed at the server, up or not.
    Tick,
    /// The server starts again.
    ServerStarts,
    /// The disk has room again.
    DiskHasRoom,
    /// Somebody publishes.
    Publish,
    /// A push reaches the server, or its retry does.
    PushArrives(u32),
    /// The publisher hears that its push is stored, or is not.
    PushAnswer(u32, bool),
    /// The publisher has waited long enough for an answer.
    PushOverdue(u32, u32),
    /// Everybody logs in once more.
    Farewell,
    /// Something goes wrong.
    Fault,
}

/// What a platform says of a socket.
#[derive(Clone, Copy, Debug)]
pub enum News {
    /// It is open.
    Opened,
    /// It failed.
    Failed,
    /// It closed, without a word of the peer.
    Closed,
}

/// Of one device, in one life of its app.
#[derive(Debug)]
pub enum DeviceEvent {
    /// The core's timer rings, if it is still set for then.
    Timer(u64),
    /// A dial ends.
    Dialled(Epoch, bool),
    /// The platform has news of a socket.
    Socket(LinkId, Epoch, News),
    /// The credentials provider answers.
    Credentials(RequestId, Provided),
    /// The app is called for a turn.
    Begin(StreamId, u32, Option<PayloadRef>),
    /// Its callback returns.
    Return(StreamId, u32, bool),
    /// The app asks the server something.
    Ask,
    /// A fault is over.
    Better(Recovery),
    /// The app is started again.
    Restart,
}

/// What a credentials provider has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provided {
    /// The right ones.
    Right,
    /// Wrong ones.
    Wrong,
    /// None.
    Nothing,
}

/// What gets better.
#[derive(Clone, Copy, Debug)]
pub enum Recovery {
    /// The device wakes up.
    Awake,
    /// The app is seen again.
    Shown,
    /// The network is back.
    Online,
    /// The user is logged in to the app again.
    Identity,
}

/// Of the server, in one of its lives.
#[derive(Debug)]
pub enum ServerEvent {
    /// What waits is committed.
    Commit,
    /// The reader looks into the store for the next question.
    Look,
    /// What it found reaches the connection's shard.
    Answer(LinkId, u32, Answer),
    /// The next delivery of a shard is made.
    Deliver(usize),
}

/// What the store said, as texts.
#[derive(Debug)]
pub enum Answer {
    /// The device begins here.
    Attached(Start, Vec<String>),
    /// A page.
    Page(PageFacts, Vec<String>),
    /// The store failed.
    Failed,
}
