//! The data of the `login` event: `{"u": "user:6", "token": "…"}`. Strings only.

use std::borrow::Cow;
use std::fmt;

use serde_json::value::RawValue;

use crate::{User, UserError, envelope, json};

/// What a client says at login.
pub struct Login<'a> {
    /// Who it claims to be.
    pub user: User,
    /// The proof, not yet checked.
    pub token: Cow<'a, str>,
}

impl<'a> Login<'a> {
    /// Reads the data of a `login`.
    ///
    /// # Errors
    /// [`LoginError`] names the field at fault. The answer is `error: 1` in each case.
    pub fn decode(data: Option<&'a RawValue>) -> Result<Self, LoginError> {
        let data = data.ok_or(LoginError::NoData)?;
        let [user, token] =
            envelope::fields_of(data, ["u", "token"]).ok_or(LoginError::DataNotAnObject)?;
        let user = user
            .and_then(json::as_str)
            .ok_or(LoginError::UserNotAString)?;
        let token = token
            .and_then(json::as_str)
            .ok_or(LoginError::TokenNotAString)?;
        Ok(Self {
            user: User::parse(&user).map_err(LoginError::User)?,
            token,
        })
    }
}

// The token must not reach a log.
impl fmt::Debug for Login<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why the data of a `login` cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginError {
    /// There is no `data`.
    NoData,
    /// `data` is not an object.
    DataNotAnObject,
    /// `u` is missing or not a string.
    UserNotAString,
    /// `token` is missing or not a string.
    TokenNotAString,
    /// `u` names no user.
    User(UserError),
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoData => f.write_str("login without data"),
            Self::DataNotAnObject => f.write_str("the data of a login is not an object"),
            Self::UserNotAString => f.write_str("`u` is missing or not a string"),
            Self::TokenNotAString => f.write_str("`token` is missing or not a string"),
            Self::User(error) => write!(f, "`u`: {error}"),
        }
    }
}

impl std::error::Error for LoginError {}

/// The data of a `login`, as the classic client writes it.
pub fn encode_login_data(u: &str, token: &str) -> Box<RawValue> {
    let mut out = String::with_capacity(24 + u.len() + token.len());
    out.push_str("{\"u\":");
    json::write_str(&mut out, u);
    out.push_str(",\"token\":");
    json::write_str(&mut out, token);
    out.push('}');
    // Just written as an object of two strings.
    RawValue::from_string(out).expect("an object")
}
