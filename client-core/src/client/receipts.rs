//! What is said of durable streams: to the driver's storage at once, to the server with each login and by acknowledgements,
//! gathered: after 200 ms, or 32 messages. Also that the app is hidden, which only a server with streams understands.

use super::Client;
use crate::{EpochTag, Outgoing, Output, StreamId, clock::NEVER, timers::Timer};

/// How long handled messages may wait to be acknowledged together.
const ACK_AFTER_MS: u32 = 200;
/// How many may.
const ACK_AFTER: u32 = 32;
/// A position that could not be stored is tried again after this long, then after twice as long each time.
#[cfg(not(target_arch = "wasm32"))]
const STORE_AGAIN_MS: u32 = 1_000;
/// And so many times is doubled: to a minute.
#[cfg(not(target_arch = "wasm32"))]
const MAX_DOUBLED: u32 = 6;

impl Client {
    /// Says with the login where every stream stands, which acknowledges it.
    pub(super) fn tell_positions(&mut self) {
        for (at, stream) in self.streams.iter_mut().enumerate() {
            if let Some(position) = stream.position() {
                stream.acked = stream.stored;
                self.outputs.push(Output::Stand {
                    stream: StreamId(at as u32),
                    position,
                });
            }
        }
    }

    /// A position was stored. Outside of a session the next login says so.
    pub(super) fn acknowledge_soon(&mut self) {
        if self.phase.is_login() {
            self.unacked += 1;
            if self.unacked >= ACK_AFTER {
                self.send_acks();
            } else if self.timers.at(Timer::Ack) == NEVER {
                self.set(Timer::Ack, ACK_AFTER_MS);
            }
        }
    }

    pub(super) fn send_acks(&mut self) {
        self.timers.clear(Timer::Ack);
        self.unacked = 0;
        let epoch = self.epoch;
        for (at, stream) in self.streams.iter_mut().enumerate() {
            if stream.attached && stream.stored > stream.acked && !stream.has_gap() {
                stream.acked = stream.stored;
                let message = Outgoing::Ack {
                    stream: StreamId(at as u32),
                    offset: stream.stored,
                };
                self.outputs.push(Output::Send { epoch, message });
            }
        }
    }

    /// Tells the server that the app is hidden, or seen again: only one that speaks of streams knows what that is.
    pub(super) fn tell_visibility(&mut self) {
        if self.phase.is_login() && self.streams.iter().any(|stream| stream.attached) {
            self.send(if self.visible {
                Outgoing::Show
            } else {
                Outgoing::Park
            });
        }
    }

    /// What the driver's storage made of a position: it may be acknowledged now, or is tried again (by the wasm driver itself).
    pub(super) fn stored(&mut self, id: StreamId, tag: EpochTag, handled: u32, ok: bool) {
        let stream = self.stream(id);
        if stream.tag != Some(tag) || handled > stream.handled {
            return;
        }
        if ok {
            stream.stored = stream.stored.max(handled);
            let is_new = stream.stored > stream.acked;
            #[cfg(not(target_arch = "wasm32"))]
            {
                stream.is_unstored &= handled < stream.handled;
                self.unstored = 0;
            }
            if is_new {
                self.acknowledge_soon();
            }
            return;
        }
        #[cfg(not(target_arch = "wasm32"))]
        if self.timers.at(Timer::Store) == NEVER {
            self.set(
                Timer::Store,
                STORE_AGAIN_MS << self.unstored.min(MAX_DOUBLED),
            );
            self.unstored += 1;
        }
    }

    /// Asks again for every position that is not stored.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn store_again(&mut self) {
        for at in 0..self.streams.len() {
            if self.streams[at].is_unstored {
                self.persist(StreamId(at as u32));
            }
        }
    }

    /// Remembers where a stream stands.
    pub(super) fn persist(&mut self, id: StreamId) {
        let stream = self.stream(id);
        if let Some(tag) = stream.tag {
            #[cfg(not(target_arch = "wasm32"))]
            {
                stream.is_unstored = true;
            }
            let handled = stream.handled;
            self.out(Output::Persist {
                stream: id,
                tag,
                handled,
            });
        }
    }
}
