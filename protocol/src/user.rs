//! Who is meant: `ROLE:ID`, at login and in a push.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A user: `ROLE:ID`. The id is all that follows the first colon. Cheap to clone.
#[derive(Clone)]
pub struct User {
    text: Arc<str>,
    colon: usize,
}

impl User {
    /// The longest role, in bytes.
    pub const ROLE_BYTES: usize = 64;
    /// The longest id, in bytes.
    pub const ID_BYTES: usize = 256;

    /// Reads `ROLE:ID`.
    ///
    /// ```
    /// let user = heartline_protocol::User::parse("user:3:9")?;
    /// assert_eq!((user.role(), user.id()), ("user", "3:9"));
    /// # Ok::<(), heartline_protocol::UserError>(())
    /// ```
    ///
    /// # Errors
    /// [`UserError`] names the part that is missing or too long.
    pub fn parse(text: &str) -> Result<Self, UserError> {
        let (role, id) = text.split_once(':').ok_or(UserError::NoColon)?;
        match (role.len(), id.len()) {
            (0, _) => Err(UserError::RoleEmpty),
            (1.., 0) => Err(UserError::IdEmpty),
            (r, _) if r > Self::ROLE_BYTES => Err(UserError::RoleTooLong),
            (_, i) if i > Self::ID_BYTES => Err(UserError::IdTooLong),
            (colon, _) => Ok(Self {
                text: text.into(),
                colon,
            }),
        }
    }

    /// The role.
    pub fn role(&self) -> &str {
        &self.text[..self.colon]
    }

    /// The id within the role.
    pub fn id(&self) -> &str {
        &self.text[self.colon + 1..]
    }

    /// `ROLE:ID`, which is also the classic Redis key.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

// The colon is the first one of the text, so the text alone is the identity.
impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for User {}

impl Hash for User {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl PartialOrd for User {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for User {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.text.cmp(&other.text)
    }
}

// Lets a map keyed by `User` be asked with a plain `str`.
impl std::borrow::Borrow<str> for User {
    fn borrow(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({})", self.text)
    }
}

impl std::str::FromStr for User {
    type Err = UserError;

    fn from_str(text: &str) -> Result<Self, UserError> {
        Self::parse(text)
    }
}

/// Why a text names no user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UserError {
    /// There is no colon.
    NoColon,
    /// Nothing before the colon.
    RoleEmpty,
    /// Nothing after the colon.
    IdEmpty,
    /// The role is over [`User::ROLE_BYTES`].
    RoleTooLong,
    /// The id is over [`User::ID_BYTES`].
    IdTooLong,
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoColon => "a user is written ROLE:ID",
            Self::RoleEmpty => "the role is empty",
            Self::IdEmpty => "the id is empty",
            Self::RoleTooLong => "the role is too long",
            Self::IdTooLong => "the id is too long",
        })
    }
}

impl std::error::Error for UserError {}
