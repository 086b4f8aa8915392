//! Event patterns: an exact name, a prefix ending in `*`, or `*` for all. Case-sensitive.

/// Does `event` match `pattern`?
///
/// ```
/// use heartline_protocol::pattern_matches;
/// assert!(pattern_matches("chat*", "chat1") && pattern_matches("*", "x"));
/// assert!(!pattern_matches("chat*", "Chat1") && !pattern_matches("user_tabbar", "user_tabbar2"));
/// ```
pub fn pattern_matches(pattern: &str, event: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => event.starts_with(prefix),
        None => pattern == event,
    }
}

/// The events that may be pushed. By default exactly `user_tabbar`, and any that begins with `chat`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventPatterns(Vec<String>);

impl EventPatterns {
    /// These patterns, and no other.
    pub fn new<S: Into<String>>(patterns: impl IntoIterator<Item = S>) -> Self {
        Self(patterns.into_iter().map(Into::into).collect())
    }

    /// May this event be pushed?
    pub fn allows(&self, event: &str) -> bool {
        self.0.iter().any(|pattern| pattern_matches(pattern, event))
    }

    /// The patterns, as given.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Default for EventPatterns {
    fn default() -> Self {
        Self::new(["user_tabbar", "chat*"])
    }
}
