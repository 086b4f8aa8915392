//! Log lines about single connections: which login was refused, and why; and, where
//! `log.connections` asks for it, each login and each end.
//!
//! A refused login names a user only where what it gives reads like one: another text may be a
//! token in the wrong place. Texts of strangers are cut, and stand in quotes with control
//! characters escaped.

use super::shard::World;
use crate::auth::LoginRefusal;
use crate::logs::LineBudget;
use crate::metrics::{Happening, Line};
use crate::presence::ConnectionNumber;
use heartline_protocol::{CloseCode, User};
use mio::net::TcpStream;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

/// One connection, as lines name it.
#[derive(Clone, Copy)]
pub(super) struct LogContext<'a> {
    pub world: &'a World,
    pub number: ConnectionNumber,
    pub socket: &'a TcpStream,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug)]
pub(super) enum EndReason {
    /// We closed it.
    ByServer(CloseCode),
    /// The client sent a close frame.
    ByClient(Option<u16>),
    /// The socket ended without one.
    Lost,
}

impl LogContext<'_> {
    /// A login was refused.
    pub fn login_refused(self, refusal: LoginRefusal, data: Option<&str>) {
        let metrics = &self.world.metrics;
        let Some(Line {
            event,
            total,
            suppressed,
        }) = metrics.admit(Happening::LoginRefused)
        else {
            return;
        };
        let user = claimed_user(data, &self.world.config.roles);
        let role = user.as_deref().and_then(|user| user.split(':').next());
        let address = self.address().map(tracing::field::display);
        tracing::warn!(
            event, total, suppressed, reason = %refusal, user, role,
            connection = self.number.0, address
        );
    }

    /// A user has as many connections as one may have.
    pub fn too_many_of_user(self, user: &str) {
        static LIMIT: crate::logs::LineLimit = crate::logs::LineLimit::new();
        if let Some(suppressed) = LIMIT.admit() {
            let limit = self.world.config.limits.max_connections_per_user;
            let address = self.address().map(tracing::field::display);
            tracing::warn!(
                event = "too_many_of_user",
                suppressed,
                user,
                limit,
                connection = self.number.0,
                address,
                "a login is refused: limits.max_connections_per_user is reached"
            );
        }
    }

    /// A login was accepted.
    pub fn logged_in(self, user: &User, device: Option<&str>) {
        if self.world.config.connection_log.connections && LOGINS.admit() {
            let address = self.address().map(tracing::field::display);
            let (user, connection) = (user.as_str(), self.number.0);
            tracing::info!(event = "logged_in", user, device, connection, address);
        }
    }

    /// The connection has ended after so long.
    pub fn ended(self, user: Option<&User>, ended: EndReason, life_ms: u64) {
        if self.world.config.connection_log.connections && ENDS.admit() {
            let address = self.address().map(tracing::field::display);
            let (user, connection) = (user.map(User::as_str), self.number.0);
            let event = "disconnected";
            tracing::info!(event, reason = %ended, user, life_ms, connection, address);
        }
    }

    /// The remote address, where the settings want it.
    fn address(self) -> Option<SocketAddr> {
        let is_wanted = self.world.config.connection_log.addresses;
        is_wanted.then(|| self.socket.peer_addr().ok()).flatten()
    }
}

/// For a line about one connection of many: its number, its user, its address.
pub(super) struct ConnectionLabel<'a>(pub LogContext<'a>, pub Option<&'a User>);

impl fmt::Display for ConnectionLabel<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(context, user) = self;
        write!(f, "connection {}", context.number.0)?;
        match user {
            Some(user) => write!(f, " of {:?} is closed", user.as_str())?,
            None => f.write_str(", not logged in, is closed")?,
        }
        match context.address() {
            Some(address) => write!(f, ", from {address}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for EndReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ByServer(code) => write!(f, "closed by the server: {} {code:?}", code.code()),
            Self::ByClient(Some(code)) => write!(f, "closed by the client: {code}"),
            Self::ByClient(None) => f.write_str("closed by the client"),
            Self::Lost => f.write_str("lost: the socket ended without a close frame"),
        }
    }
}

/// Logs how many of these lines were suppressed; to be called once a second.
pub(crate) fn log_suppressed() {
    for (event, budget) in [("logged_in", &LOGINS), ("disconnected", &ENDS)] {
        if let Some(suppressed) = budget.unreported() {
            tracing::warn!(
                event,
                suppressed,
                "more of these happened and have no line of their own"
            );
        }
    }
}

/// The user that a refused login gives, if its role is one of ours.
fn claimed_user<R>(data: Option<&str>, roles: &BTreeMap<String, R>) -> Option<String> {
    #[derive(Deserialize)]
    struct Data {
        u: String,
    }
    let Data { u } = serde_json::from_str(data?).ok()?;
    let (role, _) = u.split_once(':')?;
    let is_user = roles.contains_key(role) || User::parse(&u).is_ok();
    is_user.then(|| u.chars().take(MAX_USER_CHARS).collect())
}

static LOGINS: LineBudget = LineBudget::new(LINES_PER_SECOND);
static ENDS: LineBudget = LineBudget::new(LINES_PER_SECOND);
/// Lines of each of the two kinds: some 200 KB per second.
const LINES_PER_SECOND: u64 = 1_000;
const MAX_USER_CHARS: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_names_only_what_reads_like_a_user() {
        let roles = BTreeMap::from([("user".to_owned(), ())]);
        let claimed = |data: &str| claimed_user(Some(data), &roles);
        assert_eq!(
            claimed(r#"{"u":"user:6","token":1}"#).as_deref(),
            Some("user:6")
        );
        assert_eq!(
            claimed(r#"{"u":"user:6 \n"}"#).as_deref(),
            Some("user:6 \n")
        );
        assert_eq!(claimed(r#"{"u":"admin:6"}"#).as_deref(), Some("admin:6"));
        for other in [
            r#"{"u":"880f220137b743b3c6546fb54e6a25ec"}"#,
            r#"{"u":6}"#,
            "{}",
            "[]",
        ] {
            assert_eq!(claimed(other), None, "{other}");
        }
        let long = claimed(&format!(r#"{{"u":"user:{}"}}"#, "x".repeat(10_000)));
        assert_eq!(long.map(|user| user.len()), Some(MAX_USER_CHARS));
    }
}
