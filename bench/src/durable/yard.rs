//! One thread with devices that acknowledge and publishers that wait for their answer: raw non-blocking sockets, and of each frame only
//! its offset and its number are looked at.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::SockRef;

use super::text::{ending_offset, frame_at, http_answer, number_after};
use crate::peer::classic_login;
use crate::wire;

/// A device acknowledges after so many messages, and with the last that is expected.
const ACK_EVERY: u32 = 32;
/// Tokens from here on are publishers.
const PUBLISHERS: usize = 1 << 24;
/// Dials under way at once while devices are made one after another.
const AT_ONCE: usize = 128;

/// Everybody on one server.
pub struct Yard {
    poll: Poll,
    events: Events,
    buffer: Vec<u8>,
    address: SocketAddr,
    devices: Vec<Device>,
    publishers: Vec<Publisher>,
    ready: usize,
}

/// What happened in a turn.
pub enum News {
    /// A device got a push: its `msg`, a number.
    Push {
        /// The number.
        number: u64,
    },
    /// A publisher got its answer after so long.
    Answer {
        /// Which.
        publisher: usize,
        /// From the request's first byte to the answer's last.
        took: Duration,
        /// The HTTP status.
        status: u16,
    },
}

struct Device {
    stream: TcpStream,
    user: u32,
    is_reliable: bool,
    is_upgraded: bool,
    is_ready: bool,
    /// Bytes of an unfinished frame.
    kept: Vec<u8>,
    got: u32,
    unacked: u32,
    expects: u32,
}

struct Publisher {
    stream: TcpStream,
    kept: Vec<u8>,
    began: Option<Instant>,
    /// The server has ended an idle connection.
    is_gone: bool,
}

impl Yard {
    /// Nobody yet.
    pub fn new(port: u16) -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1024),
            buffer: vec![0; 256 * 1024],
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            devices: Vec::new(),
            publishers: Vec::new(),
            ready: 0,
        })
    }

    /// Dials for each of these users; [`Self::turn`] logs them in. Each expects so many pushes.
    pub fn dial(
        &mut self,
        users: impl IntoIterator<Item = u32>,
        is_reliable: bool,
        expects: u32,
    ) -> Result<()> {
        for user in users {
            let stream = self.connect(Token(self.devices.len()))?;
            self.devices.push(Device {
                stream,
                user,
                is_reliable,
                is_upgraded: false,
                is_ready: false,
                kept: Vec::new(),
                got: 0,
                unacked: 0,
                expects,
            });
        }
        Ok(())
    }

    /// The same, some at a time, until all are logged in.
    pub fn admit(&mut self, users: impl IntoIterator<Item = u32>, is_reliable: bool) -> Result<()> {
        let users: Vec<u32> = users.into_iter().collect();
        for some in users.chunks(AT_ONCE) {
            self.dial(some.iter().copied(), is_reliable, u32::MAX)?;
            self.until("the logins", Duration::from_secs(30), |yard| {
                yard.ready == yard.devices.len()
            })?;
        }
        Ok(())
    }

    /// So many publishers, each on a connection that is kept.
    pub fn hire(&mut self, publishers: usize) -> Result<()> {
        for at in self.publishers.len()..publishers {
            let stream = self.connect(Token(PUBLISHERS + at))?;
            self.publishers.push(Publisher {
                stream,
                kept: Vec::new(),
                began: None,
                is_gone: false,
            });
        }
        Ok(())
    }

    /// Posts a push; one at a time for each publisher.
    pub fn post(&mut self, publisher: usize, body: &str) -> Result<()> {
        let request = format!(
            "POST /api/v1/push HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if self.publishers[publisher].is_gone {
            self.publishers[publisher].stream = self.connect(Token(PUBLISHERS + publisher))?;
            self.publishers[publisher].is_gone = false;
        }
        let publisher = &mut self.publishers[publisher];
        publisher.began = Some(Instant::now());
        write_all(&mut publisher.stream, request.as_bytes())
    }

    /// Waits for news once.
    pub fn turn(&mut self, wait: Duration, mut news: impl FnMut(News)) -> Result<()> {
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(()),
            other => other?,
        }
        for event in &self.events {
            let at = event.token().0;
            if at >= PUBLISHERS {
                let publisher = at - PUBLISHERS;
                if let Some((took, status)) = self.publishers[publisher].read(&mut self.buffer)? {
                    news(News::Answer {
                        publisher,
                        took,
                        status,
                    });
                }
                continue;
            }
            let device = &mut self.devices[at];
            if event.is_writable() && !device.is_upgraded && device.kept.is_empty() {
                if let Some(error) = device.stream.take_error()? {
                    bail!("a device was not accepted: {error}");
                }
                device.stream.set_nodelay(true)?;
                if device.stream.peer_addr().is_ok() {
                    // Once: what is kept marks that it was asked.
                    device.kept.push(0);
                    write_all(&mut device.stream, &wire::upgrade("/", None))?;
                }
            }
            if event.is_readable() {
                let was_ready = device.is_ready;
                device.read(&mut self.buffer, |number| news(News::Push { number }))?;
                self.ready += usize::from(!was_ready && device.is_ready);
            }
        }
        Ok(())
    }

    /// Takes turns until it is so.
    pub fn until(
        &mut self,
        what: &str,
        within: Duration,
        mut is_so: impl FnMut(&Self) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + within;
        while !is_so(self) {
            if Instant::now() > deadline {
                bail!("waited {within:?} in vain for {what}");
            }
            self.turn(Duration::from_millis(100), |_| {})?;
        }
        Ok(())
    }

    /// How many devices have logged in.
    pub fn ready(&self) -> usize {
        self.ready
    }

    /// Whether every device has all that it expects.
    pub fn all_have_all(&self) -> bool {
        self.devices
            .iter()
            .all(|device| device.got >= device.expects)
    }

    fn connect(&self, token: Token) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll
            .registry()
            .register(&mut stream, token, interest)?;
        Ok(stream)
    }
}

impl Drop for Yard {
    fn drop(&mut self) {
        // A reset leaves nothing behind that would stand in the way of the next.
        let devices = self.devices.iter().map(|device| &device.stream);
        for stream in devices.chain(self.publishers.iter().map(|publisher| &publisher.stream)) {
            let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
    }
}

impl Device {
    fn read(&mut self, buffer: &mut [u8], mut heard: impl FnMut(u64)) -> Result<()> {
        while let Some(got) = read_some(&mut self.stream, buffer)? {
            if got == 0 {
                bail!("a device of user {} was sent away", self.user);
            }
            self.kept.extend(&buffer[..got]);
            if !self.is_upgraded {
                let Some(end) = self.kept.windows(4).position(|four| four == b"\r\n\r\n") else {
                    continue;
                };
                if !self.kept[1..].starts_with(b"HTTP/1.1 101") {
                    bail!("an upgrade was refused");
                }
                self.kept.drain(..end + 4);
                self.is_upgraded = true;
                self.log_in()?;
            }
            self.frames(&mut heard)?;
        }
        Ok(())
    }

    fn log_in(&mut self) -> Result<()> {
        let mut data = classic_login(self.user);
        if self.is_reliable {
            data.truncate(data.len() - 1);
            data += r#","$hl":{"v":1,"device":"bench","at":{}}}"#;
        }
        let login = format!(r#"{{"event":"login","data":{data},"uuid":"a-1"}}"#);
        write_all(&mut self.stream, &wire::text(&login))
    }

    fn frames(&mut self, heard: &mut impl FnMut(u64)) -> Result<()> {
        let mut from = 0;
        let mut last = None;
        while let Some((payload, next)) = frame_at(&self.kept, from) {
            let text = &self.kept[payload];
            if text.starts_with(br#"{"type":"respon""#) {
                self.is_ready = true;
            } else if let Some(number) = number_after(text, br#""msg":"#) {
                self.got += 1;
                if let Some(offset) = ending_offset(text) {
                    last = Some(offset);
                    self.unacked += 1;
                }
                heard(number);
            }
            from = next;
        }
        self.kept.drain(..from);
        if let Some(offset) = last
            && (self.unacked >= ACK_EVERY || self.got >= self.expects)
        {
            self.unacked = 0;
            let ack = format!(
                r#"{{"event":"$hl:ack","data":{{"user:{}":{offset}}}}}"#,
                self.user
            );
            write_all(&mut self.stream, &wire::text(&ack))?;
        }
        Ok(())
    }
}

impl Publisher {
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<(Duration, u16)>> {
        while let Some(got) = read_some(&mut self.stream, buffer)? {
            if got == 0 {
                if self.began.is_some() {
                    bail!("a publisher was sent away before its answer");
                }
                self.is_gone = true;
                return Ok(None);
            }
            self.kept.extend(&buffer[..got]);
        }
        let Some((status, end)) = http_answer(&self.kept) else {
            return Ok(None);
        };
        self.kept.drain(..end);
        Ok(self.began.take().map(|began| (began.elapsed(), status)))
    }
}

/// What there is to read; nothing: later.
fn read_some(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<Option<usize>> {
    loop {
        return match stream.read(buffer) {
            Ok(got) => Ok(Some(got)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotConnected => Ok(None),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => Err(error.into()),
        };
    }
}

/// Small writes go at once; should a socket be full, we wait, for a load generator has nothing better to do.
fn write_all(stream: &mut TcpStream, mut bytes: &[u8]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(sent) => bytes = &bytes[sent..],
            Err(error)
                if [ErrorKind::WouldBlock, ErrorKind::NotConnected].contains(&error.kind())
                    && Instant::now() < deadline =>
            {
                std::thread::yield_now();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
