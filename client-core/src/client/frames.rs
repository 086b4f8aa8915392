//! What arrives on the line, and who hears it. Every payload reference is answered for here, also those of frames
//! that come too late.

use super::Client;
use crate::{Epoch, EventId, Incoming, ListenerId, Outgoing, Output};

impl Client {
    /// The quick way for a push: who hears it, in this order, when hearing it is all that is to be done.
    ///
    /// It is as if the push had been fed at the instant of the latest [`Self::handle`] and its outputs carried out at
    /// once: no time passes, nothing is put out, and the payload never leaves the driver's hands. What is due rings by
    /// [`crate::Input::Timeout`], as ever. Asked again before any other call, it answers the same and changes nothing: a
    /// driver may remember the answer until then.
    ///
    /// `None` when there is more to it (outputs wait for their turn, the line is another or not open, the event is
    /// unknown): nothing was done, feed [`Incoming::Push`].
    pub fn push(&mut self, epoch: Epoch, event: EventId) -> Option<&[ListenerId]> {
        if !self.is_open(epoch) || !self.outputs.is_empty() || !self.router.knows(event) {
            return None;
        }
        self.heard();
        Some(self.router.hearers(event))
    }

    /// One frame. A sign of life, whatever it says; its payload is answered for on every path.
    pub(super) fn frame(&mut self, epoch: Epoch, frame: Incoming<'_>) {
        let lives = self.is_open(epoch);
        if lives {
            self.heard();
        }
        match frame {
            Incoming::Reply { id, ok, body } if lives => self.reply(id, ok, body),
            Incoming::Ping { token } if lives => self.send(Outgoing::Pong { token }),
            Incoming::Push { event, body } => {
                if lives {
                    for &listener in self.router.hearers(event) {
                        self.outputs.push_back(Output::Deliver { listener, body });
                    }
                }
                self.out(Output::Release { body });
            }
            Incoming::NamedPush { event, body } => {
                if lives {
                    for listener in self.router.hearers_of(event) {
                        self.outputs.push_back(Output::Deliver { listener, body });
                    }
                }
                self.out(Output::Release { body });
            }
            Incoming::Reply { body, .. } | Incoming::Ping { token: body } => {
                self.out(Output::Release { body })
            }
            Incoming::Other => {}
        }
    }
}
