//! Who hears which push: listeners by exact name, by prefix and for all, and the interned event names.
//!
//! Listeners are few: whom a push means is found by looking at each of them, and nothing is remembered that would have
//! to be forgotten when one comes or goes. Bounds: [`crate::Config::max_listeners`] and
//! [`crate::Config::max_event_names`].

use crate::{ApiMisuse, EventId, ListenMode, ListenerId};

/// The longest pattern that [`crate::Input::Listen`] accepts and the longest name that
/// [`crate::Client::intern`] does, in bytes of UTF-8.
pub const MAX_EVENT_NAME_BYTES: usize = 256;

/// One registered listener.
struct Listener {
    id: ListenerId,
    pattern: Box<str>,
}

/// See the module's page.
pub(crate) struct Router {
    /// In the order of registration, which is the order of ids.
    listeners: Vec<Listener>,
    last_listener: u32,
    /// Indexed by `EventId`.
    names: Vec<Box<str>>,
}

impl Router {
    pub(crate) fn new() -> Self {
        Self {
            listeners: Vec::new(),
            last_listener: 0,
            names: Vec::new(),
        }
    }

    /// How many listeners and names there are.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.listeners.len(), self.names.len())
    }

    pub(crate) fn next_listener_id(&self) -> ListenerId {
        ListenerId(self.last_listener.saturating_add(1))
    }

    /// Whether [`Self::listen`] may be called with these.
    pub(crate) fn check(
        &self,
        id: ListenerId,
        pattern: &str,
        mode: ListenMode,
        max: u32,
    ) -> Result<(), ApiMisuse> {
        if id != self.next_listener_id() {
            return Err(ApiMisuse::ListenerIdOutOfTurn);
        }
        if pattern.is_empty() || pattern.len() > MAX_EVENT_NAME_BYTES {
            return Err(ApiMisuse::BadPattern);
        }
        let replaces =
            mode == ListenMode::Replace && self.listeners.iter().any(|l| &*l.pattern == pattern);
        // Ids end where u32 does, after four thousand million registrations.
        if (self.listeners.len() >= max as usize && !replaces) || id.0 == u32::MAX {
            return Err(ApiMisuse::TooManyListeners);
        }
        Ok(())
    }

    pub(crate) fn listen(&mut self, id: ListenerId, pattern: &str, mode: ListenMode) {
        if mode == ListenMode::Replace {
            self.unlisten_pattern(pattern);
        }
        self.listeners.push(Listener {
            id,
            pattern: pattern.into(),
        });
        self.last_listener = id.0;
    }

    pub(crate) fn unlisten(&mut self, id: ListenerId) {
        self.remove(id, "");
    }

    pub(crate) fn unlisten_pattern(&mut self, pattern: &str) {
        self.remove(ListenerId(0), pattern);
    }

    /// Removes the listener of this id and those of this pattern. No id is 0 and no pattern empty, so that one copy of
    /// the list's code serves both.
    #[inline(never)]
    fn remove(&mut self, id: ListenerId, pattern: &str) {
        self.listeners
            .retain(|l| l.id != id && *l.pattern != *pattern);
    }

    pub(crate) fn intern(&mut self, name: &str, max: u32) -> Option<EventId> {
        // Linear: names are few, and JavaScript remembers their numbers.
        if let Some(id) = self.names.iter().position(|known| **known == *name) {
            return Some(EventId(id as u32));
        }
        if self.names.len() >= max as usize || name.len() > MAX_EVENT_NAME_BYTES {
            return None;
        }
        let id = self.names.len() as u32;
        self.names.push(name.into());
        Some(EventId(id))
    }

    /// The name that has this number.
    pub(crate) fn name(&self, event: EventId) -> Option<&str> {
        self.names.get(event.0 as usize).map(|name| &**name)
    }

    /// Who hears an event, in the order of registration.
    pub(crate) fn hearers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = ListenerId> + 'a {
        self.listeners
            .iter()
            .filter(move |l| hears(&l.pattern, name))
            .map(|l| l.id)
    }

    /// Forgets the listeners; ids and names stay used.
    pub(crate) fn clear(&mut self) {
        self.listeners.clear();
    }
}

/// Whether a pattern covers an event name. `*` is the prefix pattern with an empty prefix.
fn hears(pattern: &str, name: &str) -> bool {
    match pattern.as_bytes() {
        [prefix @ .., b'*'] => name.as_bytes().starts_with(prefix),
        _ => pattern == name,
    }
}
