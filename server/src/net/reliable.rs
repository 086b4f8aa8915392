//! A connection that is attached to its user's stream: where it stands there, and what is asked of the store for it. Exists only for devices
//! that name themselves at login; a classic connection has none of this.

use super::mailbox::{Delivery as Sent, Seen};
use crate::delivery::{
    Ask, DeferredAnswer, Delivery, Foreign, Live, Missing, PageFacts, Start, Subject, Subscription,
};
use crate::hub::ConnectionRef;
use crate::store::Offset;
use heartline_protocol::{LoginExtension, User};

/// A [`Subscription`] of this connection, and its way to the store.
#[derive(Debug)]
pub(super) struct Reliable {
    at: ConnectionRef,
    subscription: Subscription,
    /// Its app is hidden.
    is_parked: bool,
}

impl Reliable {
    /// Attaches a connection that has logged in, and so is registered at the hub already: from here on nothing can be missed.
    pub fn attach(
        delivery: &Delivery,
        at: ConnectionRef,
        stream: User,
        extension: LoginExtension,
        answer: DeferredAnswer,
    ) -> Box<Self> {
        let turn = delivery.next_turn();
        let (subscription, ask) = Subscription::new(stream, extension, turn, answer);
        let reliable = Box::new(Self {
            at,
            subscription,
            is_parked: false,
        });
        delivery.ask(reliable.subject(), ask);
        reliable
    }

    /// Which login this belongs to.
    pub fn turn(&self) -> u32 {
        self.subscription.turn()
    }

    /// The name of the stream.
    pub fn stream(&self) -> &str {
        self.subscription.stream().as_str()
    }

    /// Whether a frame that is being delivered goes to the device now. If not, it has it, or gets it with a page.
    pub fn takes(&mut self, delivery: &Delivery, sent: &Sent) -> bool {
        // What was addressed to a former login, or to one that was not attached, does not come here: see `ConnectionRef`.
        let Some(place) = sent.place.as_deref() else {
            return self.subscription.takes_transient();
        };
        debug_assert_eq!(place.stream, *self.subscription.stream());
        match self
            .subscription
            .live(place.epoch, place.offset, sent.frame.len())
        {
            Live::Send => true,
            Live::Later | Live::Stale => false,
            Live::Foreign => {
                self.attach_anew(delivery);
                false
            }
        }
    }

    /// The login changed the user and is not answered yet.
    pub fn is_unanswered_switch(&self) -> bool {
        !self.subscription.takes_transient()
    }

    /// The store said where the device begins. Returns the answer to the login, if that still waits.
    pub fn attached(&mut self, start: Start) -> Option<String> {
        self.subscription.attached(start)
    }

    /// A page has come; see [`Subscription::page`].
    pub fn page(&mut self, facts: &PageFacts) -> Result<Option<Missing>, Foreign> {
        self.subscription.page(facts)
    }

    /// How far the device has been written to, once it stands anywhere.
    pub fn seen(&self) -> Option<Seen> {
        self.subscription.cursor().map(|cursor| Seen {
            stream: self.stream().into(),
            device: (&**self.subscription.device()).into(),
            epoch: cursor.epoch(),
            sent: cursor.sent(),
            is_parked: self.is_parked,
        })
    }

    /// The device's app is hidden, or seen again: told with receipts, so that a backend can choose another way to its user.
    pub fn park(&mut self, is_parked: bool) {
        self.is_parked = is_parked;
    }

    /// The stream has begun a new epoch: the device is told, and goes on there.
    pub fn attach_anew(&mut self, delivery: &Delivery) {
        if let Some(ask) = self.subscription.anew(|| delivery.next_turn()) {
            self.ask(delivery, ask);
        }
    }

    /// The device has handled everything of `stream` up to `offset`.
    pub fn ack(&mut self, delivery: &Delivery, stream: &str, offset: Offset) {
        if let Some((epoch, offset)) = self.subscription.ack(stream, offset) {
            delivery.ack(&self.subject(), epoch, offset);
        }
    }

    /// Asks for the next page, if the device is behind and may get one.
    pub fn pump(&mut self, delivery: &Delivery) {
        if let Some(ask) = self.subscription.next_read() {
            self.ask(delivery, ask);
        }
    }

    /// The connection closes, or is another user's: what it has asked needs no answer.
    pub fn withdraw(&self, delivery: &Delivery) {
        delivery.withdraw(&self.subject());
    }

    fn ask(&self, delivery: &Delivery, ask: Ask) {
        delivery.ask(self.subject(), ask);
    }

    fn subject(&self) -> Subject {
        Subject {
            at: self.at,
            turn: self.subscription.turn(),
            stream: self.subscription.stream().clone(),
            device: self.subscription.device().clone(),
        }
    }
}
