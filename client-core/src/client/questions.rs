//! What a driver may ask between inputs. Nothing here changes what the client decides.

use super::Client;
use crate::{EventId, ListenerId, Phase, RequestId};

impl Client {
    /// Where the line stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The id that the next `Input::Request` must carry. Logins and pings draw from the same sequence, so ask right before: it
    /// is this request's however much time has passed when it is fed, but not once another input was.
    pub fn next_request_id(&self) -> RequestId {
        RequestId(self.last_request + 1)
    }

    /// The id that the next `Input::Listen` must carry.
    pub fn next_listener_id(&self) -> ListenerId {
        self.router.next_listener_id()
    }

    /// A number for an event name, so that pushes need no string. The same name gets the same number.
    /// `None` when the table is full or the name too long: use `Incoming::NamedPush`.
    pub fn intern(&mut self, name: &str) -> Option<EventId> {
        self.router.intern(name, self.config.max_event_names)
    }

    /// Who hears an event of this name, in the order of registration: whom to call in a message's turn.
    pub fn hearers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = ListenerId> + 'a {
        self.router.hearers(name)
    }
}
