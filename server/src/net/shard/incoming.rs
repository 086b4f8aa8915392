//! What comes to a shard: new sockets, and the bytes of those it has, one read per connection and turn.

use super::Shard;
use crate::hub::ConnectionRef;
use crate::metrics::Happening;
use crate::net::compression::Codec;
use crate::net::connection::{Connection, close_echo};
use crate::net::connection_log::EndReason;
use crate::net::conversation::{Conversation, End};
use crate::net::mailbox::Newcomer;
use crate::net::outbound::Sent;
use crate::net::secure::Secure;
use crate::session::Session;
use heartline_protocol::CloseCode;
use mio::{Interest, Token};
use std::io::ErrorKind;

/// Bytes of incomplete messages that all connections of a shard may hold together. Beyond it whoever adds to them is
/// closed as too big: ten thousand half-sent megabytes are no use to anybody.
const MAX_HELD: usize = 128 * 1024 * 1024;

impl Shard {
    pub(super) fn adopt(&mut self, newcomer: Newcomer) {
        let Newcomer {
            socket,
            mut first_bytes,
            tls,
            deflates,
            permit,
        } = newcomer;
        if self.connections.len() >= ConnectionRef::MAX_SLOTS {
            return self
                .world
                .metrics
                .note(Happening::TooManyConnections, "the shard is full");
        }
        let is_secure = tls.is_some();
        let session = Session::new(self.now_ms(), &self.world.config.timing);
        let entry = self.connections.vacant_entry();
        let slot = entry.key();
        let generation = self.generations.issue();
        let mut socket = mio::net::TcpStream::from_std(socket);
        if let Err(error) =
            self.poll
                .registry()
                .register(&mut socket, Token(slot), Interest::READABLE)
        {
            tracing::warn!(%error, "a socket could not be watched");
            return;
        }
        let number = self.world.presence.next_number();
        entry.insert(Connection::new(
            socket,
            generation,
            number,
            session,
            deflates,
            tls.map(|tls| Box::new(Secure::new(tls))),
            permit,
        ));
        if deflates {
            self.world.compression.joined();
            self.codec.get_or_insert_default();
        }
        self.world.metrics.count(Happening::Connected);
        if let Some(drain) = &self.drain {
            let advice_ms = super::leaving::DRAIN_ADVICE_MS + drain.spread_ms / 2;
            return self.farewell(slot, advice_ms);
        }
        if !first_bytes.is_empty() {
            self.take_in(slot, &mut first_bytes);
        }
        if is_secure {
            // TLS may hold bytes already that no event will announce.
            self.read_again(slot);
        }
    }

    /// One read from one connection. `to_the_end`: go on in the next turns until the socket is empty, because no
    /// further event is to be relied on.
    pub(super) fn readable(&mut self, slot: usize, to_the_end: bool) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        connection.has_unread = false;
        if connection.is_blocked() && !connection.is_closing() {
            // Who does not read its answers is not read from. `writable` comes back to this.
            connection.has_unread = true;
            return;
        }
        let mut buffer = std::mem::take(&mut self.read_buffer);
        let outcome = connection.read(&mut buffer);
        let hides_bytes = connection.hides_bytes();
        let is_closing = connection.is_closing();
        match outcome {
            Ok(0) => self.remove(slot),
            Ok(count) => {
                if to_the_end || hides_bytes || count == buffer.len() {
                    self.read_again(slot);
                }
                if !is_closing {
                    self.take_in(slot, &mut buffer[..count]);
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => self.read_again(slot),
            Err(_) => self.remove(slot),
        }
        self.read_buffer = buffer;
        if hides_bytes {
            // What TLS itself has to say may wait for the socket.
            self.settle(slot, Ok(Sent::Through));
        }
    }

    pub(super) fn read_again(&mut self, slot: usize) {
        if let Some(connection) = self
            .connections
            .get_mut(slot)
            .filter(|connection| !connection.is_queued)
        {
            connection.is_queued = true;
            self.unread.push_back(slot);
        }
    }

    pub(super) fn take_in(&mut self, slot: usize, bytes: &mut [u8]) {
        let now_ms = self.now_ms();
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        // One of the shard's for all: nothing of a message is needed for the next.
        let codec = self.codec.as_deref_mut().filter(|_| connection.deflates);
        let (deflater, inflater) = match codec {
            Some(Codec { deflater, inflater }) => (Some(deflater), Some(inflater)),
            None => (None, None),
        };
        let limit = self.world.config.limits.max_message_bytes;
        connection.session.heard(now_ms);
        let here = connection.at(self.index, slot);
        let mut conversation = Conversation {
            world: &self.world,
            session: &mut connection.session,
            reliable: &mut connection.reliable,
            here,
            generations: &mut self.generations,
            number: connection.number,
            socket: &connection.socket,
            now_us: self.clock.now_us(),
            answers: &mut self.answers,
            deflater,
            end: None,
        };
        let held_before = connection.decoder.held();
        let fed = connection.decoder.feed(bytes, limit, inflater, |message| {
            conversation.message(message)
        });
        let held = connection.decoder.held();
        // Of the login that stands now: what is addressed to an earlier one is not delivered any more.
        connection.generation = conversation.here.generation();
        self.held = self.held - held_before + held;
        let end = match fed {
            Ok(()) if self.held > MAX_HELD && held > held_before => {
                conversation.end.or(Some(End::ByUs(CloseCode::TooBig)))
            }
            Ok(()) => conversation.end,
            Err(violation) => Some(End::ByUs(violation.close_code())),
        };
        if !self.answers.is_empty() {
            let sent =
                connection.send_own(&self.answers, self.world.config.limits.outbound_queue_bytes);
            self.answers.clear();
            // A hundred kilobytes of answers in one turn are the exception.
            self.answers.shrink_to(64 * 1024);
            self.settle(slot, sent);
        }
        self.pump(slot);
        match end {
            None => {}
            Some(End::ByPeer(code)) => {
                self.close_with(slot, close_echo(code), false, EndReason::ByClient(code));
            }
            Some(End::ByUs(code)) => self.close(slot, code),
        }
    }
}
