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
    /// The socket did not take all of it. Only [`Self::flush`] ends this: whoever calls it then takes up what waited for it, as without
    /// TLS.
    is_blocked: bool,
}

/// Encrypted bytes that may wait for the socket; beyond, what is to be sent waits as plaintext in the connection's own queue.
const BUFFER_BYTES: usize = 64 * 1024;
/// Frames of one call that share records; further ones are left to the next call.
const MAX_SLICES: usize = 64;
/// Reads from the socket in one turn that bring nothing to read: a peer that sends empty records gets no more of the shard.
const IDLE_READS: usize = 8;

impl Secure {
    /// Takes over a connection whose handshake is done.
    pub fn new(mut tls: Box<ServerConnection>) -> Self {
        tls.set_buffer_limit(Some(BUFFER_BYTES));
        Self {
            tls: *tls,
            has_said_goodbye: false,
            is_blocked: false,
        }
    }

    /// Encrypted bytes wait for the socket, or did and nobody has taken up what waited for it.
    pub fn is_waiting(&self) -> bool {
        self.is_blocked || self.tls.wants_write()
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

    /// Puts encrypted bytes into the socket; `true` when none wait any more, and then the connection is not blocked.
    ///
    /// # Errors
    /// The socket's, after which the connection is dead.
    pub fn flush(&mut self, socket: &TcpStream) -> io::Result<bool> {
        let is_through = self.put(socket)?;
        self.is_blocked = !is_through;
        Ok(is_through)
    }

    /// What TLS itself has to say, such as the answer to a key update, as far as the socket takes it.
    ///
    /// # Errors
    /// As for [`Self::flush`].
    pub fn speak(&mut self, socket: &TcpStream) -> io::Result<()> {
        if !self.is_blocked {
            self.flush(socket)?;
        }
        Ok(())
    }

    fn put(&mut self, mut socket: &TcpStream) -> io::Result<bool> {
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
        let mut own = [IoSlice::new(&[]); MAX_SLICES];
        let count = slices.len().min(MAX_SLICES);
        own[..count].copy_from_slice(&slices[..count]);
        let mut rest = &mut own[..count];
        let mut taken = 0;
        // A buffer's worth at a time, in which several frames share records, for as long as the socket takes it: what is left over
        // waits for an event, and that comes only to a socket that was full.
        while !self.secure.is_blocked && !rest.is_empty() {
            let some = self.secure.tls.writer().write_vectored(rest)?;
            if some == 0 {
                break;
            }
            taken += some;
            IoSlice::advance_slices(&mut rest, some);
            self.secure.flush(self.socket)?;
        }
        if taken == 0 && slices.iter().any(|slice| !slice.is_empty()) {
            return Err(ErrorKind::WouldBlock.into());
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
    use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig};
    use std::net::{TcpListener, TcpStream as Blocking};
    use std::sync::Arc;

    /// A client, and the server's end after the handshake.
    fn pair() -> (ClientConnection, Blocking, Secure, TcpStream) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let ring = || Arc::new(rustls::crypto::ring::default_provider());
        let client = ClientConfig::builder_with_provider(ring())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let server = ServerConfig::builder_with_provider(ring())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key.into())
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = Blocking::connect(listener.local_addr().unwrap()).unwrap();
        let (mut near, _) = listener.accept().unwrap();
        let mut tls = ServerConnection::new(Arc::new(server)).unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let mut peer = ClientConnection::new(Arc::new(client), name).unwrap();
        let shaken = std::thread::spawn(move || {
            while peer.is_handshaking() || peer.wants_write() {
                peer.complete_io(&mut far).unwrap();
            }
            (peer, far)
        });
        while tls.is_handshaking() || tls.wants_write() {
            tls.complete_io(&mut near).unwrap();
        }
        let (peer, far) = shaken.join().unwrap();
        near.set_nonblocking(true).unwrap();
        (
            peer,
            far,
            Secure::new(Box::new(tls)),
            TcpStream::from_std(near),
        )
    }

    fn read_exactly(peer: &mut ClientConnection, far: &mut Blocking, count: usize) {
        let mut out = vec![0; count];
        rustls::Stream::new(peer, far).read_exact(&mut out).unwrap();
    }

    #[test]
    fn a_socket_with_room_takes_a_large_frame_at_once() {
        let (mut peer, mut far, mut secure, socket) = pair();
        let frame = vec![7; 5 * BUFFER_BYTES];
        let taken = secure.over(&socket).write(&frame).unwrap();
        assert_eq!(taken, frame.len());
        assert!(!secure.is_waiting());
        read_exactly(&mut peer, &mut far, frame.len());
    }

    #[test]
    fn only_a_flush_ends_a_blocked_state() {
        let (mut peer, mut far, mut secure, socket) = pair();
        let mut sent = 0;
        let frame = vec![7; BUFFER_BYTES];
        while !secure.is_waiting() {
            sent += secure.over(&socket).write(&frame).unwrap();
        }
        read_exactly(&mut peer, &mut far, sent - 2 * BUFFER_BYTES);
        // There is room again, and nobody was told.
        let refused = secure.over(&socket).write(&frame).unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::WouldBlock);
        secure.speak(&socket).unwrap();
        assert!(secure.is_waiting(), "what waited for it was never taken up");
        assert!(secure.flush(&socket).unwrap());
        assert!(!secure.is_waiting());
        assert_eq!(secure.over(&socket).write(b"on").unwrap(), 2);
        read_exactly(&mut peer, &mut far, 2 * BUFFER_BYTES + 2);
    }
}
