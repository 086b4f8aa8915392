//! What the outside sees of who is online. The hub reports here; nothing here is on the path of a push.

use heartline_protocol::User;

/// The number of a connection, unique across every server that shares a Redis: the N of `fd:N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionNumber(pub u64);

/// A cheap handle to the presence room. No call blocks or fails; what a slow or absent Redis missed is
/// repaired from the handle's own bounded picture of who is logged in.
#[derive(Clone, Debug, Default)]
pub struct Presence {}

impl Presence {
    /// The next connection number of this server.
    pub fn next_number(&self) -> ConnectionNumber {
        ConnectionNumber(0)
    }

    /// A connection logged in as `user` (again, or as another one than before).
    pub fn login(&self, _number: ConnectionNumber, _user: &User) {}

    /// A logged-in connection sent a client ping.
    pub fn ping(&self, _number: ConnectionNumber) {}

    /// A connection closed, logged in or not.
    pub fn closed(&self, _number: ConnectionNumber) {}
}
