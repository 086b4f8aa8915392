//! One connection's subscription to its user's stream, pure: which login it belongs to, where it stands, and what is to be asked of the
//! store for it. Whoever has the connection carries the questions to the store and brings the answers back: the shard
//! (`net/reliable`), or a simulation.
//!
//! At most one question of a subscription is under way. An answer that carries another [`Subscription::turn`] is to an earlier login,
//! or from before the stream began anew, and must be dropped.

use super::attach::Start;
use super::cursor::{Cursor, Foreign, Live, Missing, PageFacts};
use crate::store::{Epoch, Offset, PageLimits};
use heartline_protocol::{LoginExtension, Position, User};
use std::sync::Arc;

/// See the module's page.
#[derive(Debug)]
pub struct Subscription {
    stream: User,
    device: Arc<str>,
    turn: u32,
    state: State,
    deferred: Option<DeferredAnswer>,
}

/// The answer to a login, until it is known where the device begins: once it is answered the device misses nothing that is pushed, also
/// where this is its first login ever.
#[derive(Debug)]
pub struct DeferredAnswer {
    /// The message.
    pub text: String,
    /// The login changed the connection's user. What comes before the answer is taken for the former user's, so nothing of the
    /// present one's may come before it.
    pub is_switch: bool,
}

/// A question for the store.
#[derive(Debug)]
pub enum Ask {
    /// Where does this device begin?
    Attach(Option<Position>),
    /// Where does it go on, now that its stream has begun anew? The position is where the connection stands, not what the device has
    /// said: it acknowledges nothing.
    AttachAnew(Position),
    /// What is behind this offset?
    Page(Offset, PageLimits),
}

#[derive(Debug)]
enum State {
    /// The store was asked where the device begins. What was published since is noted, and comes with a page: the highest offset of each
    /// epoch, the latest [`EPOCHS`] of them, for a reminder may speak of an earlier one.
    Attaching(Vec<(Epoch, Offset)>),
    Attached(Cursor),
}

/// Epochs of which is noted what was published while the store is asked.
const EPOCHS: usize = 4;

impl Subscription {
    /// The subscription of a connection that has logged in, and so is registered at the hub already: from here on nothing can be
    /// missed. `turn` is a number for this login; the question is to be asked at once.
    pub fn new(
        stream: User,
        extension: LoginExtension,
        turn: u32,
        answer: DeferredAnswer,
    ) -> (Self, Ask) {
        let mut positions = extension.positions.into_iter();
        let position = positions.find(|(name, _)| **name == *stream.as_str());
        let subscription = Self {
            stream,
            device: (&*extension.device).into(),
            turn,
            state: State::Attaching(Vec::new()),
            deferred: Some(answer),
        };
        (
            subscription,
            Ask::Attach(position.map(|(_, position)| position)),
        )
    }

    /// The stream, by its user.
    pub fn stream(&self) -> &User {
        &self.stream
    }

    /// The device's name.
    pub fn device(&self) -> &Arc<str> {
        &self.device
    }

    /// Which attaching the answers must speak of.
    pub fn turn(&self) -> u32 {
        self.turn
    }

    /// A message was published: whether it is sent now ([`Live::Send`]). After [`Live::Foreign`], see [`Self::anew`].
    pub fn live(&mut self, epoch: Epoch, offset: Offset, bytes: usize) -> Live {
        match &mut self.state {
            State::Attaching(seen) => {
                match seen.iter_mut().find(|(known, _)| *known == epoch) {
                    Some((_, highest)) => *highest = offset.max(*highest),
                    None => {
                        if seen.len() >= EPOCHS {
                            seen.remove(0);
                        }
                        seen.push((epoch, offset));
                    }
                }
                Live::Later
            }
            State::Attached(cursor) => cursor.live(epoch, offset, bytes),
        }
    }

    /// Whether a push that is not stored is sent now. If not, it was published before the device was answered that its user is
    /// logged in, and is not for it.
    pub fn takes_transient(&self) -> bool {
        !self
            .deferred
            .as_ref()
            .is_some_and(|answer| answer.is_switch)
    }

    /// The store said where the device begins. Returns the answer to the login, if that still waits: it is sent first.
    pub fn attached(&mut self, start: Start) -> Option<String> {
        let mut cursor = start.cursor;
        if let State::Attaching(seen) = &self.state {
            for (epoch, offset) in seen {
                cursor.heard_of(*epoch, *offset);
            }
        }
        self.state = State::Attached(cursor);
        self.deferred.take().map(|answer| answer.text)
    }

    /// The page under way has come, and is sent after what this answers: what is gone for good.
    ///
    /// # Errors
    /// When the stream's epoch is another one now: nothing of the page is sent, see [`Self::anew`].
    pub fn page(&mut self, facts: &PageFacts) -> Result<Option<Missing>, Foreign> {
        match &mut self.state {
            State::Attaching(_) => Err(Foreign),
            State::Attached(cursor) => cursor.page(facts),
        }
    }

    /// The stream has begun a new epoch: the device is told, and goes on there. `None` when it is being attached already.
    pub fn anew(&mut self, turn: impl FnOnce() -> u32) -> Option<Ask> {
        let State::Attached(cursor) = &self.state else {
            return None;
        };
        let position = Position {
            epoch: cursor.epoch().0,
            received: cursor.sent().0,
            handled: cursor.sent().0.saturating_sub(cursor.in_flight()),
        };
        self.state = State::Attaching(Vec::new());
        self.turn = turn();
        Some(Ask::AttachAnew(position))
    }

    /// The device has handled everything of `stream` up to `offset`; what of that is news.
    pub fn ack(&mut self, stream: &str, offset: Offset) -> Option<(Epoch, Offset)> {
        if stream != self.stream.as_str() {
            return None;
        }
        let State::Attached(cursor) = &mut self.state else {
            return None;
        };
        let offset = cursor.ack(offset)?;
        Some((cursor.epoch(), offset))
    }

    /// The next page to ask for, if the device is behind and may get one.
    pub fn next_read(&mut self) -> Option<Ask> {
        match &mut self.state {
            State::Attaching(_) => None,
            State::Attached(cursor) => cursor
                .next_read()
                .map(|(after, limits)| Ask::Page(after, limits)),
        }
    }

    /// Where it stands, once that is known.
    pub fn cursor(&self) -> Option<&Cursor> {
        match &self.state {
            State::Attaching(_) => None,
            State::Attached(cursor) => Some(cursor),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::attach::start;
    use crate::store::StreamState;

    fn subscription(answer: DeferredAnswer) -> Subscription {
        let extension = LoginExtension {
            device: "phone".into(),
            positions: Vec::new(),
        };
        let user = User::parse("user:1").expect("a user");
        Subscription::new(user, extension, 1, answer).0
    }

    fn answer(is_switch: bool) -> DeferredAnswer {
        let text = "accepted".into();
        DeferredAnswer { text, is_switch }
    }

    const STREAM: StreamState = StreamState {
        epoch: Epoch(7),
        head: Offset(1),
        trimmed: Offset(0),
        messages: 1,
        bytes: 10,
    };

    #[test]
    fn after_a_switch_nothing_comes_before_the_answer_and_else_transients_do() {
        for is_switch in [true, false] {
            let mut subscription = subscription(answer(is_switch));
            assert_eq!(subscription.takes_transient(), !is_switch);
            let live = subscription.live(Epoch(7), Offset(2), 10);
            assert_eq!(live, Live::Later);
            let begin = start(&STREAM, Offset(1), None);
            let answered = subscription.attached(begin.clone());
            assert_eq!(answered.as_deref(), Some("accepted"));
            assert!(subscription.takes_transient());

            // A new epoch is no login: nothing is answered again, and transients go on.
            assert!(subscription.anew(|| 2).is_some());
            assert!(subscription.takes_transient());
            assert_eq!(subscription.attached(begin), None);
        }
    }

    /// Found by the simulation (seed 15091): a repeat of an old push came while a device was being attached, after a new one.
    #[test]
    fn found_a_reminder_does_not_make_forget_what_came_before_it() {
        let mut subscription = subscription(answer(false));
        let begin = start(&STREAM, Offset(1), None);
        for (epoch, offset) in [(7, 2), (7, 1), (6, 9)] {
            let live = subscription.live(Epoch(epoch), Offset(offset), 10);
            assert_eq!(live, Live::Later);
        }
        subscription.attached(begin);
        assert!(matches!(
            subscription.next_read(),
            Some(Ask::Page(Offset(1), _))
        ));
    }

    /// A device holds much more than the window, unhandled: what is acknowledged for it is what it says, also when its stream begins
    /// anew.
    #[test]
    fn nothing_is_acknowledged_that_the_device_did_not_say() {
        let user = User::parse("user:1").expect("a user");
        let position = Position {
            epoch: 7,
            received: 600,
            handled: 5,
        };
        let extension = LoginExtension {
            device: "phone".into(),
            positions: vec![("user:1".into(), position)],
        };
        let (mut subscription, ask) = Subscription::new(user, extension, 1, answer(false));
        let Ask::Attach(Some(position)) = ask else {
            panic!("{ask:?}")
        };
        let stream = StreamState {
            epoch: Epoch(7),
            head: Offset(600),
            trimmed: Offset(0),
            messages: 600,
            bytes: 6_000,
        };
        let begin = start(&stream, Offset(0), Some(&position));
        assert_eq!(begin.handled, Some(Offset(5)));
        subscription.attached(begin);
        let epoch = Epoch(7);
        assert_eq!(
            subscription.ack("user:1", Offset(6)),
            Some((epoch, Offset(6)))
        );
        assert!(matches!(
            subscription.live(Epoch(8), Offset(1), 10),
            Live::Foreign
        ));
        // What goes with this question is where the connection stands: nothing of it is acknowledged.
        let ask = subscription.anew(|| 2);
        assert!(
            matches!(&ask, Some(Ask::AttachAnew(position)) if position.received == 600),
            "{ask:?}"
        );
    }
}
