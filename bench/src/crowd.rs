//! Many connections in one thread: raw non-blocking reads, frames counted by their headers. No payload is looked at.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use crate::peer::{Peer, Publisher};
use crate::posts::{Posts, refuse_refusal};
use crate::wire::{CLOSE, Counter, PING};

/// All connections to one server.
pub struct Crowd {
    peer: Box<dyn Peer>,
    address: SocketAddr,
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    /// The users' connections, in the order in which they came.
    pub connections: Vec<Connection>,
    publisher: Option<Connection>,
    posts: Posts,
    /// Connections that the server ended.
    pub lost: u32,
    ready: usize,
}

/// One connection.
pub struct Connection {
    stream: TcpStream,
    counter: Counter,
    stage: Stage,
    /// Whose it is.
    pub user: u32,
    /// Deliveries in this slice.
    pub seen: u32,
    /// When its last ping left.
    pub pinged: Instant,
    /// Frames on the wire: the size of the last.
    pub last_frame_bytes: u64,
}

#[derive(Debug, PartialEq)]
enum Stage {
    Connecting,
    /// Waits for the end of the upgrade's answer.
    Upgrading(Vec<u8>),
    /// Waits for so many frames of step `at`.
    LoggingIn {
        at: usize,
        left: u32,
    },
    Ready,
    /// An HTTP connection: what comes is only watched for refusals.
    Http,
    Frozen,
    Dead,
}

impl Crowd {
    /// Nobody yet.
    pub fn new(peer: Box<dyn Peer>, port: u16) -> Result<Self> {
        Ok(Self {
            peer,
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 * 1024],
            connections: Vec::new(),
            publisher: None,
            posts: Posts::default(),
            lost: 0,
            ready: 0,
        })
    }

    /// Connects and logs in until there are `total`; `user_of` says whose the nth is. Returns what each login took.
    pub fn grow(&mut self, total: usize, user_of: impl Fn(usize) -> u32) -> Result<Vec<u32>> {
        let first = self.connections.len();
        let mut began = Vec::new();
        let mut took = Vec::new();
        let deadline = Instant::now() + GROW_DEADLINE;
        let mut last_ready = self.ready;
        while self.ready < total {
            while self.connections.len() < total && self.connections.len() - self.ready < AT_ONCE {
                let at = self.connections.len();
                let connection = self.dial(user_of(at), self.address, at)?;
                self.connections.push(connection);
                began.push(Instant::now());
            }
            let mut done = Vec::new();
            self.turn(
                Duration::from_millis(500),
                |_, _, _, _| {},
                |at| done.push(at),
            )?;
            took.extend(
                done.iter()
                    .filter(|at| **at >= first)
                    .map(|at| micros(began[at - first].elapsed())),
            );
            if self.lost > 0 {
                bail!(
                    "{} connections were ended by the server while {total} were growing",
                    self.lost
                );
            }
            if Instant::now() > deadline && last_ready == self.ready {
                bail!("only {} of {total} connections were logged in", self.ready);
            }
            last_ready = self.ready;
        }
        Ok(took)
    }

    /// Connects whoever publishes.
    pub fn connect_publisher(&mut self) -> Result<()> {
        let kind = self.peer.publisher();
        if kind == Publisher::HttpEach {
            return Ok(());
        }
        let mut address = self.address;
        if kind == Publisher::Control {
            address.set_port(address.port() + 1);
        }
        let mut connection = self.dial(NOBODY, address, PUBLISHER)?;
        if kind != Publisher::WebSocket {
            connection.stage = Stage::Http;
        }
        self.publisher = Some(connection);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !self
            .publisher
            .as_ref()
            .is_some_and(|p| matches!(p.stage, Stage::Ready | Stage::Http))
        {
            if Instant::now() > deadline || self.publisher.is_none() {
                bail!("the publisher's connection was not accepted");
            }
            self.turn(Duration::from_millis(100), |_, _, _, _| {}, |_| {})?;
        }
        Ok(())
    }

    /// One message, as the peer wants it.
    pub fn message(&self, user: u32, filler_bytes: usize) -> Vec<u8> {
        self.peer.publish(user, filler_bytes)
    }

    /// A ping, as the peer wants it.
    pub fn ping_frame(&self) -> Option<Vec<u8>> {
        self.peer.ping()
    }

    /// Whether messages have a size that the publisher chooses.
    pub fn has_protocol(&self) -> bool {
        self.peer.publisher() != Publisher::Control
    }

    /// Whether each message must be handed over alone.
    pub fn publishes_singly(&self) -> bool {
        self.peer.publisher() == Publisher::HttpEach
    }

    /// Hands messages to the publisher's socket.
    pub fn publish(&mut self, bytes: &[u8]) -> Result<()> {
        if self.publishes_singly() {
            return self.posts.send(self.poll.registry(), self.address, bytes);
        }
        if self.publisher.is_none() {
            self.connect_publisher()?;
        }
        let Some(publisher) = &mut self.publisher else {
            bail!("the publisher's connection was ended")
        };
        write_all(&mut publisher.stream, bytes)
    }

    /// From now on these read nothing.
    pub fn freeze(&mut self, from: usize, to: usize) -> Result<()> {
        for connection in &mut self.connections[from..to] {
            self.poll.registry().deregister(&mut connection.stream)?;
            connection.stage = Stage::Frozen;
        }
        Ok(())
    }

    /// Waits for news once. `heard` gets the connection, its index, how many frames came, and when; `ready` the index of
    /// each that has become logged in.
    pub fn turn(
        &mut self,
        wait: Duration,
        mut heard: impl FnMut(&mut Connection, usize, u32, Instant),
        mut ready: impl FnMut(usize),
    ) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            let at = event.token().0;
            if Posts::has(at) {
                self.posts.read(at, &mut self.buffer)?;
                continue;
            }
            let connection = match at {
                PUBLISHER => self.publisher.as_mut(),
                _ => self.connections.get_mut(at),
            };
            let Some(connection) = connection else {
                continue;
            };
            let was_ready = connection.stage == Stage::Ready;
            if event.is_writable() && connection.stage == Stage::Connecting {
                connection.connected(self.peer.as_ref())?;
            }
            if event.is_readable() {
                connection.read(self.peer.as_ref(), at, &mut self.buffer, &mut heard)?;
            }
            if at == PUBLISHER {
                // Servers end HTTP connections that were idle for long; the next message opens another.
                if connection.stage == Stage::Dead {
                    self.publisher = None;
                }
            } else if connection.stage == Stage::Dead {
                let _ = self.poll.registry().deregister(&mut connection.stream);
                self.lost += 1;
                self.ready -= usize::from(was_ready);
            } else if !was_ready && connection.stage == Stage::Ready {
                self.ready += 1;
                ready(at);
            }
        }
        Ok(())
    }

    fn dial(&mut self, user: u32, address: SocketAddr, at: usize) -> Result<Connection> {
        let mut stream = TcpStream::connect(address)?;
        self.poll.registry().register(
            &mut stream,
            Token(at),
            Interest::READABLE | Interest::WRITABLE,
        )?;
        Ok(Connection {
            stream,
            counter: Counter::default(),
            stage: Stage::Connecting,
            user,
            seen: 0,
            pinged: Instant::now(),
            last_frame_bytes: 0,
        })
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // A reset leaves nothing behind that would stand in the way of the next crowd.
        for connection in self.connections.iter().chain(&self.publisher) {
            let _ = SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Connection {
    /// Whether it takes part.
    pub fn is_ready(&self) -> bool {
        self.stage == Stage::Ready
    }

    /// Sends a small frame.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        write_all(&mut self.stream, bytes)
    }

    fn connected(&mut self, peer: &dyn Peer) -> Result<()> {
        if let Some(error) = self.stream.take_error()? {
            bail!("a connection was not accepted: {error}");
        }
        self.stream.set_nodelay(true)?;
        match peer.upgrade(self.user) {
            None => self.stage = Stage::Ready,
            Some(request) => {
                write_all(&mut self.stream, &request)?;
                self.stage = Stage::Upgrading(Vec::new());
            }
        }
        Ok(())
    }

    /// Reads what there is.
    fn read(
        &mut self,
        peer: &dyn Peer,
        at: usize,
        buffer: &mut [u8],
        heard: &mut impl FnMut(&mut Self, usize, u32, Instant),
    ) -> Result<()> {
        loop {
            let got = match self.stream.read(buffer) {
                Ok(0) => {
                    self.stage = Stage::Dead;
                    return Ok(());
                }
                Ok(got) => got,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => {
                    self.stage = Stage::Dead;
                    return Ok(());
                }
            };
            self.take(peer, at, &buffer[..got], heard)?;
            // What comes later is a new edge: an incomplete buffer means that there is no more now.
            if got < buffer.len() {
                return Ok(());
            }
        }
    }

    fn take(
        &mut self,
        peer: &dyn Peer,
        at: usize,
        bytes: &[u8],
        heard: &mut impl FnMut(&mut Self, usize, u32, Instant),
    ) -> Result<()> {
        let rest;
        let bytes = match &mut self.stage {
            Stage::Http => {
                return refuse_refusal(bytes);
            }
            Stage::Upgrading(head) => {
                head.extend(bytes);
                let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") else {
                    return Ok(());
                };
                if !head.starts_with(b"HTTP/1.1 101") {
                    let line = String::from_utf8_lossy(head);
                    bail!(
                        "an upgrade was refused: {}",
                        line.lines().next().unwrap_or_default()
                    );
                }
                rest = head[end + 4..].to_vec();
                self.stage = Stage::Ready;
                self.next_step(peer, at, 0)?;
                rest.as_slice()
            }
            _ => bytes,
        };
        let mut frames = 0;
        let mut closed = false;
        let mut last = self.last_frame_bytes;
        self.counter.feed(bytes, |opcode, size| {
            closed |= opcode == CLOSE;
            if opcode != PING && opcode != CLOSE {
                frames += 1;
                last = size;
            }
        });
        self.last_frame_bytes = last;
        if closed {
            self.stage = Stage::Dead;
            return Ok(());
        }
        if let Stage::LoggingIn { at: step, left } = self.stage {
            if frames < left {
                self.stage = Stage::LoggingIn {
                    at: step,
                    left: left - frames,
                };
            } else {
                self.next_step(peer, at, step + 1)?;
            }
        } else if frames > 0 && at != PUBLISHER {
            heard(self, at, frames, Instant::now());
        }
        Ok(())
    }

    /// Goes on with the login; the last step makes it ready.
    fn next_step(&mut self, peer: &dyn Peer, at: usize, step: usize) -> Result<()> {
        let id = if at == PUBLISHER { NOBODY } else { at as u32 };
        let mut steps = peer.login(id, self.user);
        if step >= steps.len() {
            self.stage = Stage::Ready;
            return Ok(());
        }
        let step_now = steps.swap_remove(step);
        if !step_now.send.is_empty() {
            write_all(&mut self.stream, &step_now.send)?;
        }
        self.stage = Stage::LoggingIn {
            at: step,
            left: step_now.await_frames,
        };
        if step_now.await_frames == 0 {
            self.next_step(peer, at, step + 1)
        } else {
            Ok(())
        }
    }
}

/// Microseconds.
pub fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// Small writes go at once; should a socket be full, we wait, for a load generator has nothing better to do.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                std::thread::sleep(Duration::from_micros(50));
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => bail!("the server does not take what is sent to it: {error}"),
        }
    }
    Ok(())
}

/// The publisher's user: one that nobody pushes to.
pub const NOBODY: u32 = 4_000_000;
/// Logins in flight while a crowd grows.
const AT_ONCE: usize = 64;
const GROW_DEADLINE: Duration = Duration::from_secs(90);
const PUBLISHER: usize = usize::MAX - 1;
