//! What arrives on the line, and who hears it. Every payload reference is answered for here, also those of frames
//! that come too late.

use super::Client;
use crate::{Epoch, Incoming, Outgoing, Output};

impl Client {
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
