//! Who is meant: `ROLE:ID`, at login and in a push.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A user: `ROLE:ID`. The id is all that follows the first colon. Cheap to clone.
///
/// Users that were read from one list share the list's text and keep all of it alive; whoever keeps one of them for
/// long keeps [`User::apart`].
#[derive(Clone)]
pub struct User {
    /// The user's text, and perhaps more.
    text: Arc<str>,
    from: u32,
    /// Both are bounded by [`User::ROLE_BYTES`] and [`User::ID_BYTES`].
    role: u16,
    id: u16,
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
    /// [`UserError`] names the part that is missing, too long or could not be addressed.
    pub fn parse(text: &str) -> Result<Self, UserError> {
        let (role, id) = Self::lengths(text)?;
        Ok(Self {
            text: text.into(),
            from: 0,
            role,
            id,
        })
    }

    /// The user that stands in `text` at `from`, where [`Self::lengths`] has found these.
    pub(crate) fn within(text: &Arc<str>, from: u32, (role, id): (u16, u16)) -> Self {
        Self {
            text: text.clone(),
            from,
            role,
            id,
        }
    }

    /// How long the role and the id are.
    pub(crate) fn lengths(text: &str) -> Result<(u16, u16), UserError> {
        let colon = text.bytes().position(|byte| byte == b':');
        let role = colon.ok_or(UserError::NoColon)?;
        match (role, text.len() - role - 1) {
            (0, _) => Err(UserError::RoleEmpty),
            (1.., 0) => Err(UserError::IdEmpty),
            (r, _) if r > Self::ROLE_BYTES => Err(UserError::RoleTooLong),
            (_, i) if i > Self::ID_BYTES => Err(UserError::IdTooLong),
            (role, id) => match Self::unaddressable(text) {
                Some(error) => Err(error),
                None => Ok((role as u16, id as u16)),
            },
        }
    }

    /// Why no push could name this user: a list of recipients is split at its commas, and each is
    /// trimmed. Nor may a name hold control characters, since it is a key in Redis and a word in logs.
    fn unaddressable(text: &str) -> Option<UserError> {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'+' | b'-'..=b'~');
        if !text.bytes().all(is_plain) {
            if text.contains(',') {
                return Some(UserError::Comma);
            }
            if text.contains(char::is_control) {
                return Some(UserError::ControlCharacter);
            }
        }
        (text.trim().len() < text.len()).then_some(UserError::SpaceAround)
    }

    /// The role.
    pub fn role(&self) -> &str {
        &self.as_str()[..usize::from(self.role)]
    }

    /// The id within the role.
    pub fn id(&self) -> &str {
        &self.as_str()[usize::from(self.role) + 1..]
    }

    /// `ROLE:ID`, which is also the classic Redis key.
    pub fn as_str(&self) -> &str {
        let from = self.from as usize;
        &self.text[from..from + usize::from(self.role) + 1 + usize::from(self.id)]
    }

    /// The same user with a text of its own.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            text: self.as_str().into(),
            from: 0,
            role: self.role,
            id: self.id,
        }
    }
}

// The colon is the first one of the text, so the text alone is the identity.
impl PartialEq for User {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for User {}

impl Hash for User {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for User {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for User {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

// Lets a map keyed by `User` be asked with a plain `str`.
impl std::borrow::Borrow<str> for User {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({})", self.as_str())
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
    /// A comma, at which a list of recipients would be split.
    Comma,
    /// A control character.
    ControlCharacter,
    /// White space at the beginning or the end, which a list of recipients is trimmed of.
    SpaceAround,
}

impl fmt::Display for UserError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoColon => "a user is written ROLE:ID",
            Self::RoleEmpty => "the role is empty",
            Self::IdEmpty => "the id is empty",
            Self::RoleTooLong => "the role is too long",
            Self::IdTooLong => "the id is too long",
            Self::Comma => "a user cannot hold a comma: it separates recipients",
            Self::ControlCharacter => "a user cannot hold control characters",
            Self::SpaceAround => "a user cannot begin or end with white space",
        })
    }
}

impl std::error::Error for UserError {}
