//! Who gets a push: `user:1`, a comma list, several texts; each may carry the prefix `online:`.

use std::collections::HashSet;
use std::sync::Arc;

use crate::{User, UserError};

/// The users that a push names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recipients {
    /// Each user once, in the order in which they were named first.
    pub users: Vec<User>,
    /// How many entries named no user (`user`, `user:`). One empty id in a backend's list must not cost the others their
    /// message; that there were some is told to the sender and to the operator.
    pub malformed: usize,
    /// The first of them, as it came, and why it names no user.
    pub first_malformed: Option<(String, UserError)>,
}

/// Reads the texts of `to`. Stray commas and spaces are ignored; ids are compared whole.
///
/// ```
/// let to = heartline_protocol::recipients([" user:1,,online:user:1, user:10 "]);
/// assert_eq!(to.users.iter().map(|u| u.as_str()).collect::<Vec<_>>(), ["user:1", "user:10"]);
/// ```
pub fn recipients<'a>(texts: impl IntoIterator<Item = &'a str>) -> Recipients {
    let mut found = Found::default();
    for text in texts {
        found.read(text);
    }
    found.told()
}

/// What was read so far. All users share one text: a list of thousands costs one allocation, not thousands.
#[derive(Default)]
struct Found<'a> {
    seen: Seen<'a>,
    /// Where each user stands in `text`, and how long its role and id are.
    places: Vec<(u32, (u16, u16))>,
    text: String,
    malformed: usize,
    first_malformed: Option<(String, UserError)>,
}

impl<'a> Found<'a> {
    fn read(&mut self, text: &'a str) {
        let most = text.bytes().filter(|byte| *byte == b',').count() + 1;
        if most > FEW {
            self.seen.many.reserve(most);
            self.places.reserve(most);
            self.text.reserve(text.len());
        }
        let mut rest = Some(text);
        while let Some(text) = rest {
            // Names are short: looking at each byte is quicker than a search that is made for long texts.
            let (entry, behind) = match text.bytes().position(|byte| byte == b',') {
                Some(comma) => (&text[..comma], Some(&text[comma + 1..])),
                None => (text, None),
            };
            rest = behind;
            let entry = trimmed(entry);
            if entry.is_empty() {
                continue;
            }
            let entry = entry.strip_prefix("online:").map_or(entry, str::trim_start);
            // Beyond four billion bytes of names there is no place; a request is bounded far below.
            match (User::lengths(entry), u32::try_from(self.text.len())) {
                (Ok(lengths), Ok(from)) => {
                    if self.seen.insert(entry) {
                        self.places.push((from, lengths));
                        self.text.push_str(entry);
                    }
                }
                (lengths, _) => {
                    self.malformed += 1;
                    if let (None, Err(error)) = (&self.first_malformed, lengths) {
                        self.first_malformed = Some((entry.chars().take(64).collect(), error));
                    }
                }
            }
        }
    }

    fn told(self) -> Recipients {
        let text: Arc<str> = self.text.into();
        let places = self.places.into_iter();
        Recipients {
            users: places
                .map(|(from, lengths)| User::within(&text, from, lengths))
                .collect(),
            malformed: self.malformed,
            first_malformed: self.first_malformed,
        }
    }
}

/// The names that have been read. Most pushes name one user or a few, and those are looked through.
#[derive(Default)]
struct Seen<'a> {
    few: Vec<&'a str>,
    many: HashSet<&'a str>,
}

/// Names that are looked through.
const FEW: usize = 8;

impl<'a> Seen<'a> {
    /// Whether it is new.
    fn insert(&mut self, name: &'a str) -> bool {
        if self.few.len() < FEW {
            let is_new = !self.few.contains(&name);
            if is_new {
                self.few.push(name);
            }
            return is_new;
        }
        if self.many.is_empty() {
            self.many.extend(&self.few);
        }
        self.many.insert(name)
    }
}

/// Without the space around it; nearly always there is none.
fn trimmed(entry: &str) -> &str {
    match entry.as_bytes() {
        [b'!'..=b'~', .., b'!'..=b'~'] => entry,
        _ => entry.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_once_however_many_there_are_and_however_they_are_spelled() {
        for count in [1, FEW - 1, FEW, FEW + 1, 3 * FEW] {
            let once: Vec<String> = (0..count).map(|id| format!("user:{id}")).collect();
            let spelled: String = once
                .iter()
                .map(|name| format!(" {name},, online: {name},,\t{name} ,user:,"))
                .collect();
            let found = recipients([spelled.as_str(), once[0].as_str()]);
            let names: Vec<_> = found.users.iter().map(User::as_str).collect();
            assert_eq!(names, once);
            assert_eq!(found.malformed, count);
        }
    }

    #[test]
    fn users_of_one_list_are_like_any_others() {
        let found = recipients(["role:1:2,user:é,user:33"]);
        for (user, (role, id)) in
            found
                .users
                .iter()
                .zip([("role", "1:2"), ("user", "é"), ("user", "33")])
        {
            assert_eq!((user.role(), user.id()), (role, id));
            let alone = User::parse(user.as_str()).unwrap();
            assert_eq!(*user, alone);
            assert_eq!(user.apart(), alone);
            assert_eq!(user.cmp(&alone), std::cmp::Ordering::Equal);
        }
        assert_eq!(size_of::<User>(), 24, "a connection holds one");
    }
}
