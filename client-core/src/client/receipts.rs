//! What is said of durable streams: to the driver's storage at once, to the server with each login and by acknowledgements,
//! gathered: after 200 ms, or 32 messages. Also that the app is hidden, which only a server with streams understands.

use super::Client;
use crate::{Outgoing, Output, StreamId, clock::NEVER, timers::Timer};

/// How long handled messages may wait to be acknowledged together.
const ACK_AFTER_MS: u32 = 200;
/// How many may.
const ACK_AFTER: u32 = 32;

impl Client {
    /// Says with the login where every stream stands, which acknowledges it.
    pub(super) fn tell_positions(&mut self) {
        for (at, stream) in self.streams.iter_mut().enumerate() {
            if let Some(position) = stream.position() {
                stream.acked = stream.handled;
                self.outputs.push(Output::Stand {
                    stream: StreamId(at as u32),
                    position,
                });
            }
        }
    }

    /// Something was handled. Outside of a session the next login says so.
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
            if stream.attached && stream.handled > stream.acked && !stream.has_gap() {
                stream.acked = stream.handled;
                let message = Outgoing::Ack {
                    stream: StreamId(at as u32),
                    offset: stream.handled,
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

    /// Remembers where a stream stands.
    pub(super) fn persist(&mut self, id: StreamId) {
        let stream = self.stream(id);
        if let Some(tag) = stream.tag {
            let handled = stream.handled;
            self.out(Output::Persist {
                stream: id,
                tag,
                handled,
            });
        }
    }
}
