//! The names of everything in Redis: the classic keys, and our own three kinds beneath `heartline:`.

use heartline_protocol::User;

/// Key names with the configured prefix before each.
pub(super) struct Names {
    pub(super) prefix: String,
}

impl Names {
    /// `fd:N` → the user it belongs to.
    pub(super) fn fd(&self, connection: u64) -> String {
        format!("{}fd:{connection}", self.prefix)
    }

    /// `user:6` → the set of the user's connections.
    pub(super) fn connections(&self, user: &User) -> String {
        format!("{}{user}", self.prefix)
    }

    /// `online:user:6` → local time of the last sign of life.
    pub(super) fn online(&self, user: &User) -> String {
        format!("{}online:{user}", self.prefix)
    }

    /// `active:user:6` → local time of the last client ping.
    pub(super) fn active(&self, user: &User) -> String {
        format!("{}active:{user}", self.prefix)
    }

    /// The set of server numbers that have, or had, a lease.
    pub(super) fn servers(&self) -> String {
        format!("{}heartline:servers", self.prefix)
    }

    /// Lives as long as its server renews it.
    pub(super) fn lease(&self, server: u64) -> String {
        format!("{}heartline:server:{server}", self.prefix)
    }

    /// Hash N → user of all that a server wrote: what to remove if it does not do so itself.
    pub(super) fn book(&self, server: u64) -> String {
        format!("{}heartline:server:{server}:book", self.prefix)
    }
}

/// A connection's number: the server's in the high bits, its counter in the low ones.
pub(super) fn connection(server: u64, counter: u64) -> u64 {
    (server << COUNTER_BITS) | self::counter(counter)
}

/// The part of a connection's number that its server counts.
pub(super) fn counter(connection: u64) -> u64 {
    connection & ((1 << COUNTER_BITS) - 1)
}

/// Server numbers are 1 up to this.
pub(super) const MAX_SERVER: u64 = (1 << SERVER_BITS) - 1;

const SERVER_BITS: u32 = 16;
const COUNTER_BITS: u32 = 37;

/// Roles whose classic set would be one of the other keys; the configuration refuses them.
pub(crate) const RESERVED_ROLES: &[&str] = &["fd", "online", "active", "heartline"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_exact_in_javascript_and_comes_apart_again() {
        let largest = connection(MAX_SERVER, (1 << COUNTER_BITS) - 1);
        assert_eq!(largest, (1 << 53) - 1);
        assert_eq!(counter(connection(77, 5)), 5);
        assert_ne!(connection(1, 5), connection(2, 5));
    }
}
