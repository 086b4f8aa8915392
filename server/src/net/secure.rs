//! TLS around one connection's socket. The rest of the shard reads and writes plaintext, as it does without; what is encrypted and not yet
//! in the socket is bounded, and counts as the connection's being blocked.

use mio::net::TcpStream;
use rustls::ServerConnection;
use std::io::{self, ErrorKind, IoSlice, Read, Write};

/// The TLS state of one connection, tens of kilobytes of it: see docs/configuration.md.
#[derive(Debug)]
pub(super) struct Secure {
    tls: ServerConnection,
    has_said_goodbye: bool,
}

/// Encrypted bytes that may wait for the socket; beyond, what is to be sent waits as plaintext in the connection's own queue.
const BUFFER_BYTES: usize = 64 * 1024;
/// Reads from the socket in one turn that bring nothing to read: a peer that sends empty records gets no more of the shard.
const IDLE_READS: usize = 8;

impl Secure {
    /// Takes over a connection whose handshake is done.
    pub fn new(mut tls: Box<ServerConnection>) -> Self {
        tls.set_buffer_limit(Some(BUFFER_BYTES));
        Self {
            tls: *tls,
            has_said_goodbye: false,
        }
    }

    /// Encrypted bytes wait for the socket.
    pub fn is_waiting(&self) -> bool {
        self.tls.wants_write()
    }

    /// Reads plaintext, as [`Read::read`]. There may be more without any further event of the socket's, until this would block.
    ///
    /// # Errors
    /// The socket's, or [`ErrorKind::InvalidData`] when the peer breaks TLS. [`ErrorKind::Interrupted`]: come again later.
    pub fn read(&mut self, mut socket: &TcpStream, out: &mut [u8]) -> io::Result<usize> {
        for _ in 0..IDLE_READS {
            match self.tls.reader().read(out) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // A peer that went without a goodbye has gone all the same.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                outcome => return outcome,
            }
            if self.tls.read_tls(&mut socket)? == 0 {
                // What it had sent before was read above; the next call of the reader says how it ended.
                return match self.tls.reader().read(out) {
                    Ok(count) => Ok(count),
                    Err(_) => Ok(0),
                };
            }
            if let Err(error) = self.tls.process_new_packets() {
                // The peer is told why, if it listens.
                let _ = self.tls.write_tls(&mut socket);
                return Err(io::Error::new(ErrorKind::InvalidData, error));
            }
        }
        Err(ErrorKind::Interrupted.into())
    }

    /// A way to write plaintext through this to the socket.
    pub fn over<'a>(&'a mut self, socket: &'a TcpStream) -> Over<'a> {
        Over {
            secure: self,
            socket,
        }
    }

    /// Says goodbye, once.
    pub fn close(&mut self) {
        if !std::mem::replace(&mut self.has_said_goodbye, true) {
            self.tls.send_close_notify();
        }
    }

    /// Puts encrypted bytes into the socket; `true` when none wait any more.
    ///
    /// # Errors
    /// The socket's, after which the connection is dead.
    pub fn flush(&mut self, mut socket: &TcpStream) -> io::Result<bool> {
        // Bounded by what waits.
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// See [`Secure::over`]. What it takes is encrypted, and in the socket or within the bound before it.
pub(super) struct Over<'a> {
    secure: &'a mut Secure,
    socket: &'a TcpStream,
}

impl Write for Over<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        if !self.secure.flush(self.socket)? {
            return Err(ErrorKind::WouldBlock.into());
        }
        // At most one buffer's worth; several frames share records.
        let taken = self.secure.tls.writer().write_vectored(slices)?;
        self.secure.flush(self.socket)?;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
