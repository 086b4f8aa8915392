//! Who logs in: fixed credentials, or a provider that is asked before each login.

use std::fmt;
use std::sync::Arc;

use futures::future::BoxFuture;

/// What the `login` event carries.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `ROLE:ID`, such as `user:6`.
    pub user: String,
    /// The proof: for the classic server, lower-case hex `md5(ID + key)`.
    pub token: String,
}

impl Credentials {
    /// These two.
    pub fn new(user: impl Into<String>, token: impl Into<String>) -> Self {
        Self {
            user: user.into(),
            token: token.into(),
        }
    }
}

// The token must not reach a log.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why a provider has no credentials now. The login is tried again with backoff.
pub type CredentialsError = Box<dyn std::error::Error + Send + Sync>;

/// Asked before each login. It runs in a task of its own and may take its time, within `Config::login_timeout_ms`.
pub type CredentialsProvider =
    Arc<dyn Fn() -> BoxFuture<'static, Result<Credentials, CredentialsError>> + Send + Sync>;

/// A provider that always gives the same.
pub(crate) fn fixed(credentials: Credentials) -> CredentialsProvider {
    Arc::new(move || {
        let credentials = credentials.clone();
        Box::pin(async move { Ok(credentials) })
    })
}
