//! Messages that each need an HTTP connection of their own, for servers that end it with their answer.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

/// Those that are not answered to their end yet.
#[derive(Default)]
pub struct Posts {
    open: HashMap<usize, TcpStream>,
    count: usize,
}

impl Posts {
    /// Connects and sends one request.
    pub fn send(&mut self, registry: &Registry, address: SocketAddr, request: &[u8]) -> Result<()> {
        let mut stream = std::net::TcpStream::connect(address)
            .context("a message's connection was not accepted")?;
        stream.write_all(request)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        let token = FIRST + self.count % MOST;
        registry.register(&mut stream, Token(token), Interest::READABLE)?;
        if self.open.insert(token, stream).is_some() {
            bail!("{MOST} messages are not answered");
        }
        self.count += 1;
        Ok(())
    }

    /// Whether the token is of one of them.
    pub fn has(token: usize) -> bool {
        (FIRST..FIRST + MOST).contains(&token)
    }

    /// Reads an answer: it must be a good one.
    pub fn read(&mut self, token: usize, buffer: &mut [u8]) -> Result<()> {
        while let Some(stream) = self.open.get_mut(&token) {
            match stream.read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Ok(got) if got > 0 => refuse_refusal(&buffer[..got])?,
                _ => drop(self.open.remove(&token)),
            }
        }
        Ok(())
    }
}

/// Stops at an answer that is not a success.
pub fn refuse_refusal(answer: &[u8]) -> Result<()> {
    if answer.starts_with(b"HTTP/1.1 ") && answer.get(9) != Some(&b'2') {
        let text = String::from_utf8_lossy(answer);
        bail!(
            "a push was refused: {}",
            text.lines().next().unwrap_or_default()
        );
    }
    Ok(())
}

/// Tokens beyond all connections'.
const FIRST: usize = 1 << 32;
/// Unanswered at the same time.
const MOST: usize = 1_024;
