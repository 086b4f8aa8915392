//! One live connection: an entry of a shard's slab. Idle, it is this struct and nothing on the heap but its user's
//! name, which all connections of the user share.

use super::connection_log::LogContext;
use super::frame::{self, Decoder, Opcode, Piece};
use super::outbound::{Outbound, Sent};
use super::reliable::Reliable;
use super::secure::Secure;
use super::shard::World;
use crate::hub::{ConnectionRef, Permit};
use crate::presence::ConnectionNumber;
use crate::session::Session;
use bytes::Bytes;
use mio::net::TcpStream;
use std::io::{self, Read};
use std::net::Shutdown;

/// A WebSocket after its handshake.
#[derive(Debug)]
pub(super) struct Connection {
    pub socket: TcpStream,
    /// Tells this tenant of the slot from others, and its present login from former ones.
    pub generation: u32,
    pub number: ConnectionNumber,
    pub decoder: Decoder,
    pub session: Session,
    /// It takes and sends compressed messages.
    pub deflates: bool,
    /// Attached to its user's stream.
    pub reliable: Option<Box<Reliable>>,
    /// Around the socket, where the port speaks TLS.
    tls: Option<Box<Secure>>,
    outbound: Option<Box<Outbound>>,
    /// When a closing connection is given up; 0 while it is open.
    closing_until_ms: u64,
    /// Poll tells when the socket takes bytes again.
    is_watched_for_writing: bool,
    /// There may be bytes to read that no event will announce; read when the socket takes ours again.
    pub has_unread: bool,
    /// The slot is in the shard's queue of those to read again.
    pub is_queued: bool,
    _permit: Permit,
}

impl Connection {
    /// An open connection.
    pub fn new(
        socket: TcpStream,
        generation: u32,
        number: ConnectionNumber,
        session: Session,
        deflates: bool,
        tls: Option<Box<Secure>>,
        permit: Permit,
    ) -> Self {
        Self {
            socket,
            generation,
            number,
            decoder: Decoder::default(),
            session,
            deflates,
            reliable: None,
            tls,
            outbound: None,
            closing_until_ms: 0,
            is_watched_for_writing: false,
            has_unread: false,
            is_queued: false,
            _permit: permit,
        }
    }

    /// What the hub knows it by.
    pub fn at(&self, shard: u8, slot: usize) -> ConnectionRef {
        ConnectionRef::new(shard, slot, self.generation)
            .deflating(self.deflates)
            .reliable(self.reliable.is_some())
    }

    /// What log lines name it by.
    pub fn log_context<'a>(&'a self, world: &'a World) -> LogContext<'a> {
        LogContext {
            world,
            number: self.number,
            socket: &self.socket,
        }
    }

    /// Whether the close frame has been sent or queued.
    pub fn is_closing(&self) -> bool {
        self.closing_until_ms != 0
    }

    /// Whether a closing connection has had its time.
    pub fn is_overdue(&self, now_ms: u64) -> bool {
        self.is_closing() && now_ms >= self.closing_until_ms
    }

    /// Whether something waits for the socket.
    pub fn is_blocked(&self) -> bool {
        self.outbound.is_some() || self.tls.as_ref().is_some_and(|tls| tls.is_waiting())
    }

    /// Reads what the peer has sent.
    pub fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => (&self.socket).read(out),
            Some(tls) => {
                let outcome = tls.read(&self.socket, out);
                tls.speak(&self.socket)?;
                outcome
            }
        }
    }

    /// What is read may leave more behind that no event will announce.
    pub fn hides_bytes(&self) -> bool {
        self.tls.is_some()
    }

    /// Sends shared frames.
    pub fn send<'a, P: Copy + Into<Piece<'a>>>(
        &mut self,
        frames: &[P],
        bound: usize,
    ) -> io::Result<Sent> {
        match &mut self.tls {
            None => Outbound::send(&mut self.outbound, &self.socket, frames, bound),
            Some(tls) => Outbound::send(&mut self.outbound, tls.over(&self.socket), frames, bound),
        }
    }

    /// Sends frames that are this connection's own.
    pub fn send_own(&mut self, frames: &[u8], bound: usize) -> io::Result<Sent> {
        match &mut self.tls {
            None => Outbound::send_own(&mut self.outbound, &self.socket, frames, bound),
            Some(tls) => {
                Outbound::send_own(&mut self.outbound, tls.over(&self.socket), frames, bound)
            }
        }
    }

    /// Writes what waits; `true` when nothing does any more.
    pub fn flush(&mut self) -> io::Result<bool> {
        let closes = self.is_closing();
        let is_through = match &mut self.tls {
            None => Outbound::flush(&mut self.outbound, &self.socket)?,
            Some(tls) => {
                let is_through = tls.flush(&self.socket)?
                    && Outbound::flush(&mut self.outbound, tls.over(&self.socket))?;
                if is_through && closes {
                    tls.close();
                }
                is_through && tls.flush(&self.socket)?
            }
        };
        if is_through && self.is_closing() {
            self.socket.shutdown(Shutdown::Write)?;
        }
        Ok(is_through)
    }

    /// Begins the end: the close frame, then no more from our side, and a while for the peer to do the same.
    /// With `give_up_queue` what waits is dropped, as far as the stream stays well-formed.
    pub fn begin_close(
        &mut self,
        last: Bytes,
        give_up_queue: bool,
        until_ms: u64,
    ) -> io::Result<()> {
        self.closing_until_ms = until_ms;
        if give_up_queue && self.is_blocked() {
            Outbound::replace(&mut self.outbound, last);
        } else {
            self.send(&[&last], usize::MAX)?;
        }
        self.flush().map(|_| ())
    }

    /// Keeps the poll's interest in step with the queue.
    pub fn watch(&mut self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
        if self.is_watched_for_writing != self.is_blocked() {
            let interest = if self.is_blocked() {
                mio::Interest::READABLE | mio::Interest::WRITABLE
            } else {
                mio::Interest::READABLE
            };
            registry.reregister(&mut self.socket, token, interest)?;
            self.is_watched_for_writing = self.is_blocked();
        }
        Ok(())
    }
}

/// The answer to a peer's close frame: its own code back (RFC 6455 §5.5.1).
pub(super) fn close_echo(code: Option<u16>) -> Bytes {
    match code {
        Some(code) => frame::to_bytes(Opcode::Close, &code.to_be_bytes()),
        None => frame::to_bytes(Opcode::Close, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idle_connection_is_small() {
        let size = size_of::<Connection>();
        assert!(size <= 160, "{size} bytes");
    }
}
