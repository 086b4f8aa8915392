//! A connection that is attached to its user's stream: where it stands there, and what is asked of the store for it. Exists only for devices
//! that name themselves at login; a classic connection has none of this.

use super::mailbox::{Delivery as Sent, Seen};
use crate::delivery::{Ask, Cursor, Delivery, Live, Start, Subject};
use crate::hub::ConnectionRef;
use crate::store::{Epoch, Offset};
use heartline_protocol::{LoginExtension, Position, User};

/// See the module's page.
#[derive(Debug)]
pub(super) struct Reliable {
    subject: Subject,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The store was asked where the device begins. What was published since is noted, and comes with a page.
    Attaching(Option<(Epoch, Offset)>),
    Attached(Cursor),
}

impl Reliable {
    /// Attaches a connection that has logged in, and so is registered at the hub already: from here on nothing can be missed.
    pub fn attach(
        delivery: &Delivery,
        at: ConnectionRef,
        stream: User,
        extension: LoginExtension,
    ) -> Box<Self> {
        let mut positions = extension.positions.into_iter();
        let position = positions.find(|(name, _)| **name == *stream.as_str());
        let subject = Subject {
            at,
            turn: delivery.next_turn(),
            stream,
            device: (&*extension.device).into(),
        };
        delivery.ask(
            subject.clone(),
            Ask::Attach(position.map(|(_, position)| position)),
        );
        Box::new(Self {
            subject,
            state: State::Attaching(None),
        })
    }

    /// Which login this belongs to.
    pub fn turn(&self) -> u32 {
        self.subject.turn
    }

    /// The name of the stream.
    pub fn stream(&self) -> &str {
        self.subject.stream.as_str()
    }

    /// Whether a frame that is being delivered goes to the device now. If not, it has it, or gets it with a page.
    pub fn takes(&mut self, delivery: &Delivery, sent: &Sent) -> bool {
        let Some(place) = sent.place.as_deref() else {
            return !sent.is_stored;
        };
        match &mut self.state {
            State::Attaching(seen) => {
                *seen = Some((place.epoch, place.offset));
                false
            }
            State::Attached(cursor) => {
                match cursor.live(place.epoch, place.offset, sent.frame.len()) {
                    Live::Send => true,
                    Live::Later | Live::Stale => false,
                    Live::Foreign => {
                        self.attach_anew(delivery);
                        false
                    }
                }
            }
        }
    }

    /// The store said where the device begins.
    pub fn attached(&mut self, start: Start) {
        let mut cursor = start.cursor;
        if let State::Attaching(Some((epoch, offset))) = self.state {
            cursor.heard_of(epoch, offset);
        }
        self.state = State::Attached(cursor);
    }

    /// Where it stands, once that is known.
    pub fn cursor(&mut self) -> Option<&mut Cursor> {
        match &mut self.state {
            State::Attaching(_) => None,
            State::Attached(cursor) => Some(cursor),
        }
    }

    /// How far the device has been written to, once it stands anywhere.
    pub fn seen(&mut self) -> Option<Seen> {
        let (stream, device) = (
            self.subject.stream.as_str().into(),
            (&*self.subject.device).into(),
        );
        self.cursor().map(|cursor| Seen {
            stream,
            device,
            epoch: cursor.epoch(),
            sent: cursor.sent(),
        })
    }

    /// The stream has begun a new epoch: the device is told, and goes on there.
    pub fn attach_anew(&mut self, delivery: &Delivery) {
        let State::Attached(cursor) = &self.state else {
            return;
        };
        let position = Position {
            epoch: cursor.epoch().0,
            received: cursor.sent().0,
            handled: cursor.acked().0,
        };
        self.state = State::Attaching(None);
        self.subject.turn = delivery.next_turn();
        delivery.ask(self.subject.clone(), Ask::Attach(Some(position)));
    }

    /// The device has handled everything of `stream` up to `offset`.
    pub fn ack(&mut self, delivery: &Delivery, stream: &str, offset: Offset) {
        if stream != self.subject.stream.as_str() {
            return;
        }
        if let State::Attached(cursor) = &mut self.state
            && let Some(offset) = cursor.ack(offset)
        {
            delivery.ack(&self.subject, cursor.epoch(), offset);
        }
    }

    /// Asks for the next page, if the device is behind and may get one.
    pub fn pump(&mut self, delivery: &Delivery) {
        if let State::Attached(cursor) = &mut self.state
            && let Some((after, limits)) = cursor.next_read()
        {
            delivery.ask(self.subject.clone(), Ask::Page(after, limits));
        }
    }
}
