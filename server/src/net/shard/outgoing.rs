//! What leaves a shard: deliveries in slices, pings, what waited for a socket; and the clock that asks for it.

use super::Shard;
use crate::hub::ConnectionRef;
use crate::metrics::Happening;
use crate::net::Delivery;
use crate::net::frame::{self, Opcode};
use crate::net::outbound::Sent;
use crate::session::Due;
use bytes::Bytes;
use heartline_protocol::{CloseCode, encode_ping};
use mio::Token;
use std::io;
use std::time::{Duration, Instant};

/// What deliveries take of one turn: so long an event may have to wait for them.
const SLICE: Duration = Duration::from_micros(100);
/// Cost of deliveries between two looks at the clock, about one unit per write.
const UNITS_PER_LOOK: usize = 8;

impl Shard {
    pub(super) fn writable(&mut self, slot: usize) {
        let now_ms = self.now_ms();
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        match connection.flush() {
            Ok(is_through) => {
                // What waited for it was taken: a peer that reads slowly is not read from, and not silent either.
                connection.session.heard(now_ms);
                if is_through && connection.has_unread {
                    self.read_again(slot);
                }
                self.settle(slot, Ok(Sent::Through));
                self.pump(slot);
            }
            Err(error) => self.settle(slot, Err(error)),
        }
    }

    /// Carries out what a send means for the connection.
    pub(super) fn settle(&mut self, slot: usize, sent: io::Result<Sent>) {
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        match sent {
            Ok(Sent::Through | Sent::Queued) => {
                if connection.watch(self.poll.registry(), Token(slot)).is_err() {
                    self.remove(slot);
                }
            }
            Ok(Sent::TooMuch) => self.close(slot, CloseCode::SlowConsumer),
            Err(_) => self.remove(slot),
        }
    }

    pub(super) fn deliver_slice(&mut self) {
        if self.fanout.is_idle() {
            return;
        }
        let bound = self.world.config.limits.outbound_queue_bytes;
        let mut fanout = std::mem::take(&mut self.fanout);
        let mut delivered = 0;
        let mut attached = Vec::new();
        let mut deliver =
            |target: ConnectionRef, deliveries: &[&Delivery], joined: Option<&Bytes>| {
                let Some(connection) = self.connections.get_mut(target.slot()) else {
                    return;
                };
                if connection.generation != target.generation() || connection.is_closing() {
                    return;
                }
                let was_blocked = connection.is_blocked();
                delivered += deliveries.len() as u64;
                let sent = match (connection.reliable.as_deref_mut(), joined, deliveries) {
                    (Some(reliable), ..) => {
                        attached.push(target.slot());
                        // Of stored pushes, only what is next in its stream; the rest it has, or gets with a page.
                        let desk = &self.world.delivery;
                        let next = deliveries
                            .iter()
                            .filter(|delivery| reliable.takes(desk, delivery));
                        let frames = next.flat_map(|delivery| delivery.frame.pieces());
                        let frames: Vec<_> = frames.collect();
                        connection.send(&frames, bound)
                    }
                    (None, Some(all), _) => connection.send(&[all], bound),
                    (None, None, [one]) if let Some(whole) = one.frame.whole() => {
                        connection.send(&[whole], bound)
                    }
                    (None, None, many) => {
                        let frames = many.iter().flat_map(|delivery| delivery.frame.pieces());
                        connection.send(&frames.collect::<Vec<_>>(), bound)
                    }
                };
                if was_blocked || !matches!(sent, Ok(Sent::Through)) || connection.is_blocked() {
                    self.settle(target.slot(), sent);
                }
            };
        let began = Instant::now();
        loop {
            fanout.run(UNITS_PER_LOOK, &mut deliver);
            if fanout.is_idle() || began.elapsed() >= SLICE {
                break;
            }
        }
        if fanout.is_idle() {
            self.world.processors.leave(self.index);
        } else {
            self.world.processors.pause(self.index);
        }
        self.fanout = fanout;
        attached.into_iter().for_each(|slot| self.pump(slot));
        self.world.metrics.add(Happening::Delivered, delivered);
    }

    pub(super) fn sweep_slice(&mut self) {
        if self.connections.is_empty() {
            return;
        }
        let now_ms = self.now_ms();
        if self.sweep.due_in_ms(now_ms) > 0 {
            return;
        }
        for slot in self.sweep.next_slice(now_ms, self.connections.capacity()) {
            let Some(connection) = self.connections.get_mut(slot) else {
                continue;
            };
            if connection.is_closing() {
                if connection.is_overdue(now_ms) {
                    self.remove(slot);
                }
                continue;
            }
            match connection.session.due(now_ms, &self.world.config.timing) {
                None => {}
                Some(Due::Close(_)) => self.judge(slot),
                Some(Due::Ping) => self.ping(slot),
            }
        }
    }

    /// Closes a connection that has been silent for too long. What has arrived is read first: a shard that comes late to its
    /// events must not take its own delay for the peer's silence.
    fn judge(&mut self, slot: usize) {
        self.readable(slot, false);
        let now_ms = self.now_ms();
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        if connection.is_closing() {
            return;
        }
        match connection.session.due(now_ms, &self.world.config.timing) {
            None => {}
            Some(Due::Close(code)) => self.close(slot, code),
            Some(Due::Ping) => self.ping(slot),
        }
    }

    fn ping(&mut self, slot: usize) {
        self.last_ping += 1;
        let text = encode_ping(self.last_ping);
        let Some(connection) = self.connections.get_mut(slot) else {
            return;
        };
        frame::append(&mut self.answers, Opcode::Text, text.as_bytes());
        let bound = self.world.config.limits.outbound_queue_bytes;
        let sent = connection.send_own(&self.answers, bound);
        self.answers.clear();
        self.world.metrics.count(Happening::PingSent);
        self.settle(slot, sent);
    }
}
