//! Who gets a push: `user:1`, a comma list, several texts; each may carry the prefix `online:`.

use std::collections::HashSet;

use crate::User;

/// The users that a push names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Each user once, in the order in which they were named first.
    pub users: Vec<User>,
    /// How many entries named no user (`user`, `user:`). They are passed over, as a user without a connection is:
    /// one empty id in a backend's list must not cost the others their message.
    pub malformed: usize,
}

/// Reads the texts of `to`. Stray commas and spaces are ignored; ids are compared whole.
///
/// ```
/// let to = heartline_protocol::recipients([" user:1,,online:user:1, user:10 "]);
/// assert_eq!(to.users.iter().map(|u| u.as_str()).collect::<Vec<_>>(), ["user:1", "user:10"]);
/// ```
pub fn recipients<'a>(texts: impl IntoIterator<Item = &'a str>) -> Recipients {
    let mut found = Recipients::default();
    let mut seen = HashSet::new();
    for entry in texts.into_iter().flat_map(|text| text.split(',')) {
        let entry = entry.trim();
        if entry.is_empty() {
            continue;
        }
        let entry = entry.strip_prefix("online:").unwrap_or(entry);
        match User::parse(entry.trim_start()) {
            Ok(user) => {
                if seen.insert(user.clone()) {
                    found.users.push(user);
                }
            }
            Err(_) => found.malformed += 1,
        }
    }
    found
}
