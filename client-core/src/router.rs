//! Who hears which push: listeners by exact name, by prefix and for all, and the interned event names.
//!
//! A push whose name is interned costs one look-up: the listeners that match are remembered per name
//! until a listener comes or goes. Bounds: [`crate::Config::max_listeners`] and
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

/// An interned name, and who hears it if that is known.
struct Name {
    text: Box<str>,
    hearers: Option<Vec<ListenerId>>,
}

/// See the module's page.
pub(crate) struct Router {
    /// In the order of registration, which is the order of ids.
    listeners: Vec<Listener>,
    last_listener: u32,
    /// Indexed by `EventId`.
    names: Vec<Name>,
    /// The indices of `names`, sorted by text.
    by_text: Vec<u32>,
}

impl Router {
    pub(crate) fn new() -> Self {
        Self {
            listeners: Vec::new(),
            last_listener: 0,
            names: Vec::new(),
            by_text: Vec::new(),
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
        self.forget_hearers();
    }

    pub(crate) fn unlisten(&mut self, id: ListenerId) {
        if let Ok(at) = self.listeners.binary_search_by(|l| l.id.cmp(&id)) {
            self.listeners.remove(at);
            self.forget_hearers();
        }
    }

    pub(crate) fn unlisten_pattern(&mut self, pattern: &str) {
        self.listeners.retain(|l| &*l.pattern != pattern);
        self.forget_hearers();
    }

    pub(crate) fn intern(&mut self, name: &str, max: u32) -> Option<EventId> {
        let at = match self
            .by_text
            .binary_search_by(|&i| (*self.names[i as usize].text).cmp(name))
        {
            Ok(at) => return Some(EventId(self.by_text[at])),
            Err(at) => at,
        };
        if self.names.len() >= max as usize || name.len() > MAX_EVENT_NAME_BYTES {
            return None;
        }
        let id = self.names.len() as u32;
        self.names.push(Name {
            text: name.into(),
            hearers: None,
        });
        self.by_text.insert(at, id);
        Some(EventId(id))
    }

    pub(crate) fn knows(&self, event: EventId) -> bool {
        (event.0 as usize) < self.names.len()
    }

    /// Who hears an interned event, in the order of registration. Nobody, if it was never interned.
    pub(crate) fn hearers(&mut self, event: EventId) -> &[ListenerId] {
        let Some(name) = self.names.get_mut(event.0 as usize) else {
            return &[];
        };
        let listeners = &self.listeners;
        name.hearers
            .get_or_insert_with(|| matching(listeners, &name.text).collect())
    }

    /// The same for a name that is not interned.
    pub(crate) fn hearers_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = ListenerId> + 'a {
        matching(&self.listeners, name)
    }

    /// Forgets the listeners; ids and names stay used.
    pub(crate) fn clear(&mut self) {
        self.listeners.clear();
        self.forget_hearers();
    }

    fn forget_hearers(&mut self) {
        for name in &mut self.names {
            name.hearers = None;
        }
    }
}

fn matching<'a>(listeners: &'a [Listener], name: &'a str) -> impl Iterator<Item = ListenerId> + 'a {
    listeners
        .iter()
        .filter(move |l| hears(&l.pattern, name))
        .map(|l| l.id)
}

/// Whether a pattern covers an event name. `*` is the prefix pattern with an empty prefix.
fn hears(pattern: &str, name: &str) -> bool {
    match pattern.as_bytes() {
        [prefix @ .., b'*'] => name.as_bytes().starts_with(prefix),
        _ => pattern == name,
    }
}
