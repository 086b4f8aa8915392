//! What arrives on the line, and who hears it. Every payload reference is answered for here, also those of frames
//! that come too late.

use super::Client;
use crate::{Epoch, EventId, Incoming, ListenerId, Outgoing, Output, PayloadRef, router::Router};

impl Client {
    /// The quick way for a push: who hears it, in this order, when hearing it is all that is to be done.
    ///
    /// It is as if the push had been fed at the instant of the latest [`Self::handle`] and its outputs carried out at
    /// once: no time passes, nothing is put out, and the payload never leaves the driver's hands. What is due rings by
    /// [`crate::Input::Timeout`], as ever. Asked again before any other call, it answers the same and changes nothing: a
    /// driver may remember the answer until then.
    ///
    /// `None` when there is more to it (outputs wait for their turn, the line is another, not open or still a former user's,
    /// the event is unknown): nothing was done, feed [`Incoming::Push`].
    pub fn push(
        &mut self,
        epoch: Epoch,
        event: EventId,
    ) -> Option<impl Iterator<Item = ListenerId> + '_> {
        let is_ours = self.is_open(epoch) && !self.is_foreign;
        if !is_ours || !self.outputs.is_empty() || self.router.name(event).is_none() {
            return None;
        }
        self.heard();
        let name = self.router.name(event)?;
        Some(self.router.hearers(name))
    }

    /// One frame. A sign of life, whatever it says; its payload is answered for on every path.
    pub(super) fn frame(&mut self, epoch: Epoch, frame: Incoming<'_>) {
        let lives = self.is_open(epoch);
        if lives {
            self.heard();
        }
        let is_ours = lives && !self.is_foreign;
        match frame {
            Incoming::Reply { id, ok, body } if lives => self.reply(id, ok, body),
            Incoming::Ping { token } if lives => self.send(Outgoing::Pong { token }),
            Incoming::Push { event, body } => {
                let name = self.router.name(event).filter(|_| is_ours);
                Self::deliver(&mut self.outputs, &self.router, name, body);
                self.out(Output::Release { body });
            }
            Incoming::NamedPush { event, body } => {
                let name = Some(event).filter(|_| is_ours);
                Self::deliver(&mut self.outputs, &self.router, name, body);
                self.out(Output::Release { body });
            }
            Incoming::Attached {
                stream,
                tag,
                offset,
            } if lives => self.attached(stream, tag, offset),
            Incoming::Gap {
                stream,
                tag,
                from,
                to,
                reason,
            } if lives => self.gap(stream, tag, from, to, reason),
            Incoming::Durable {
                stream,
                offset,
                body,
            } if lives && self.durable(stream, offset, body) => {}
            Incoming::Reply { body, .. }
            | Incoming::Ping { token: body }
            | Incoming::Durable { body, .. } => self.out(Output::Release { body }),
            Incoming::Attached { .. } | Incoming::Gap { .. } | Incoming::Other => {}
        }
    }

    /// Puts a `Deliver` out for each listener that hears this event: for a driver that calls them in a message's turn in the same
    /// way as ever. [`Self::hearers`] tells them without.
    pub fn deliver_turn(&mut self, name: &str, body: PayloadRef) {
        Self::deliver(&mut self.outputs, &self.router, Some(name), body);
    }

    /// Hands a push to those who hear it, if it may be heard at all.
    #[inline(never)]
    fn deliver(outputs: &mut Vec<Output>, router: &Router, name: Option<&str>, body: PayloadRef) {
        if let Some(name) = name {
            for listener in router.hearers(name) {
                outputs.push(Output::Deliver { listener, body });
            }
        }
    }
}
