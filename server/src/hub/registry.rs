//! Users and their connections. One connection belongs to one user at a time, which is why two recipients of a
//! push never mean the same connection twice.

use heartline_protocol::User;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Where a connection is: its shard, its slot there, and a generation. The generation names one login: it tells the connection from
/// earlier tenants of the slot, and its present user from former ones. So a delivery that was addressed before a change of the user
/// matches nobody afterwards, wherever it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionRef(u64);

impl ConnectionRef {
    /// Connections that one shard can hold.
    pub const MAX_SLOTS: usize = 1 << 23;
    /// Shards that a server can have.
    pub const MAX_SHARDS: usize = 1 << 8;

    /// Packs the three. Order is by shard, then by slot.
    pub fn new(shard: u8, slot: usize, generation: u32) -> Self {
        debug_assert!(slot < Self::MAX_SLOTS);
        Self(
            u64::from(shard) << 56
                | (slot as u64) << 33
                | u64::from(generation & Self::GENERATIONS),
        )
    }

    /// The same, of a connection that is attached to its user's stream or not.
    pub fn reliable(self, yes: bool) -> Self {
        Self(self.0 & !Self::RELIABLE | if yes { Self::RELIABLE } else { 0 })
    }

    /// The reference from the connection's next login on. It is another one, unless nobody was logged in (then nothing is
    /// addressed to it) or the same user logs in again in the same form (who goes on receiving what is on its way).
    pub fn at_login(
        self,
        former: Option<&User>,
        user: &User,
        is_reliable: bool,
        generations: &mut Generations,
    ) -> Self {
        let next = self.reliable(is_reliable);
        match former {
            Some(former) if former != user || next != self => {
                Self(next.0 & !u64::from(Self::GENERATIONS) | u64::from(generations.issue()))
            }
            _ => next,
        }
    }

    /// Whether it is attached to its user's stream.
    pub fn is_reliable(self) -> bool {
        self.0 & Self::RELIABLE != 0
    }

    /// The same, of a connection that takes compressed messages or not.
    pub fn deflating(self, yes: bool) -> Self {
        Self(self.0 & !Self::DEFLATES | if yes { Self::DEFLATES } else { 0 })
    }

    /// Whether it takes compressed messages.
    pub fn deflates(self) -> bool {
        self.0 & Self::DEFLATES != 0
    }

    const DEFLATES: u64 = 1 << 32;
    const RELIABLE: u64 = 1 << 31;
    /// Generations begin again after so many.
    pub const GENERATIONS: u32 = (1 << 31) - 1;

    /// The shard's index.
    pub fn shard(self) -> usize {
        (self.0 >> 56) as usize
    }

    /// The slot within the shard.
    pub fn slot(self) -> usize {
        (self.0 >> 33) as usize & (Self::MAX_SLOTS - 1)
    }

    /// The login: of which tenant of the slot, and as whom.
    pub fn generation(self) -> u32 {
        self.0 as u32 & Self::GENERATIONS
    }
}

/// Counts the tenants and logins of one shard, so that each has a generation of its own. After [`ConnectionRef::GENERATIONS`] it
/// begins again: by then what was addressed to the first of that number was delivered or dropped long ago.
#[derive(Debug, Default)]
pub struct Generations(u32);

impl Generations {
    /// The next generation.
    pub fn issue(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(1) & ConnectionRef::GENERATIONS;
        self.0
    }
}

/// The user has `max_connections_per_user` connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this user has too many connections")]
pub struct TooManyOfUser;

/// Users and where their connections are. Bounded by the number of open connections.
#[derive(Debug)]
pub struct Registry {
    users: HashMap<User, Devices>,
    max_per_user: usize,
}

/// Nearly every user has one device: that one takes no allocation.
#[derive(Debug)]
enum Devices {
    One(ConnectionRef),
    /// Sorted: a push to them needs no sorting, however often it comes.
    #[expect(
        clippy::box_collection,
        reason = "eight bytes less for every user that has one device"
    )]
    Many(Box<Vec<ConnectionRef>>),
}

impl Registry {
    /// An empty registry.
    pub fn new(max_per_user: usize) -> Self {
        Self {
            users: HashMap::new(),
            max_per_user,
        }
    }

    /// `connection` is `user`'s from now on; `former` is its reference and user so far. Returns the user in the registry's own copy,
    /// so that all connections of a user share one text.
    ///
    /// # Errors
    /// When the user has too many connections; then nothing has changed.
    pub fn log_in(
        &mut self,
        connection: ConnectionRef,
        former: Option<(ConnectionRef, &User)>,
        user: User,
    ) -> Result<User, TooManyOfUser> {
        if let Some((at, former)) = former
            && *former == user
        {
            // No more connections of this user than before.
            if at != connection
                && let Some(devices) = self.users.get_mut(former)
            {
                devices.replace(at, connection);
            }
            return Ok(former.clone());
        }
        let user = match self.users.entry(user) {
            Entry::Vacant(_) if self.max_per_user == 0 => return Err(TooManyOfUser),
            Entry::Vacant(place) => {
                let user = place.key().clone();
                place.insert(Devices::One(connection));
                user
            }
            Entry::Occupied(mut place) => {
                if place.get().as_slice().len() >= self.max_per_user {
                    return Err(TooManyOfUser);
                }
                place.get_mut().add(connection);
                place.key().clone()
            }
        };
        if let Some((at, former)) = former {
            self.leave(at, former);
        }
        Ok(user)
    }

    /// `connection` is no longer `user`'s.
    pub fn leave(&mut self, connection: ConnectionRef, user: &User) {
        if let Some(devices) = self.users.get_mut(user)
            && devices.remove(connection)
        {
            self.users.remove(user);
        }
    }

    /// The connections of a user, by shard and slot.
    pub fn connections(&self, user: &User) -> &[ConnectionRef] {
        self.users.get(user).map_or(&[], Devices::as_slice)
    }

    /// Users with at least one connection.
    pub fn users(&self) -> usize {
        self.users.len()
    }
}

impl Devices {
    fn as_slice(&self) -> &[ConnectionRef] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    fn add(&mut self, connection: ConnectionRef) {
        match self {
            Self::One(one) => {
                let mut two = vec![*one, connection];
                two.sort_unstable();
                *self = Self::Many(Box::new(two));
            }
            Self::Many(many) => {
                if let Err(place) = many.binary_search(&connection) {
                    many.insert(place, connection);
                }
            }
        }
    }

    fn replace(&mut self, former: ConnectionRef, connection: ConnectionRef) {
        match self {
            Self::One(one) => *one = connection,
            Self::Many(many) => {
                if let Ok(place) = many.binary_search(&former) {
                    many.remove(place);
                }
                self.add(connection);
            }
        }
    }

    /// Whether none is left.
    fn remove(&mut self, connection: ConnectionRef) -> bool {
        match self {
            Self::One(one) => *one == connection,
            Self::Many(many) => {
                if let Ok(place) = many.binary_search(&connection) {
                    many.remove(place);
                }
                match many[..] {
                    [] => true,
                    [last] => {
                        *self = Self::One(last);
                        false
                    }
                    _ => {
                        if many.len() < many.capacity() / 4 {
                            many.shrink_to(many.len() * 2);
                        }
                        false
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(slot: usize) -> ConnectionRef {
        ConnectionRef::new(3, slot, 7)
    }

    fn user(text: &str) -> User {
        User::parse(text).unwrap()
    }

    #[test]
    fn a_reference_keeps_its_three_parts() {
        let last = ConnectionRef::GENERATIONS;
        let far = ConnectionRef::new(255, ConnectionRef::MAX_SLOTS - 1, last);
        assert_eq!(
            (far.shard(), far.slot(), far.generation()),
            (255, ConnectionRef::MAX_SLOTS - 1, last)
        );
        assert!(!far.is_reliable() && far.reliable(true).is_reliable());
        assert_eq!(far.reliable(true).generation(), last);
        assert_eq!(far.reliable(true).reliable(false), far);
        assert_eq!((at(5).shard(), at(5).slot(), at(5).generation()), (3, 5, 7));
    }

    #[test]
    fn the_mark_of_compression_changes_no_part_and_no_order() {
        let marked = at(5).deflating(true);
        assert!(marked.deflates() && !at(5).deflates());
        assert_eq!(marked.deflating(false), at(5));
        assert_eq!(
            (marked.shard(), marked.slot(), marked.generation()),
            (3, 5, 7)
        );
        assert!(at(4) < marked && marked < at(6));
    }

    #[test]
    fn devices_come_and_go() {
        let mut registry = Registry::new(10);
        for slot in [2, 0, 3, 1] {
            registry.log_in(at(slot), None, user("user:1")).unwrap();
        }
        assert_eq!(
            registry.connections(&user("user:1")),
            [at(0), at(1), at(2), at(3)]
        );
        for slot in [1, 0, 3] {
            registry.leave(at(slot), &user("user:1"));
        }
        assert_eq!(registry.connections(&user("user:1")), [at(2)]);
        registry.leave(at(9), &user("user:1"));
        assert_eq!(
            registry.connections(&user("user:1")),
            [at(2)],
            "somebody else's leave changes nothing"
        );
        registry.leave(at(2), &user("user:1"));
        assert_eq!(registry.users(), 0);
    }

    #[test]
    fn a_connection_belongs_to_its_last_user_only() {
        let mut registry = Registry::new(10);
        let first = registry.log_in(at(1), None, user("user:1")).unwrap();
        let again = registry
            .log_in(at(1), Some((at(1), &first)), user("user:1"))
            .unwrap();
        assert_eq!(
            registry.connections(&again),
            [at(1)],
            "the same user twice receives once"
        );
        registry
            .log_in(at(2), Some((at(1), &again)), user("user:2"))
            .unwrap();
        assert_eq!(registry.connections(&user("user:1")), []);
        assert_eq!(registry.connections(&user("user:2")), [at(2)]);
    }

    #[test]
    fn the_bound_per_user_refuses_and_changes_nothing() {
        let mut registry = Registry::new(1);
        registry.log_in(at(1), None, user("user:1")).unwrap();
        let second = registry.log_in(at(2), None, user("user:2")).unwrap();
        assert_eq!(
            registry.log_in(at(3), Some((at(2), &second)), user("user:1")),
            Err(TooManyOfUser)
        );
        assert_eq!(registry.connections(&user("user:2")), [at(2)]);
    }

    #[test]
    fn another_user_or_another_form_is_another_login_and_the_same_again_is_not() {
        let (one, two) = (user("user:1"), user("user:2"));
        let mut generations = Generations::default();
        let at = ConnectionRef::new(3, 5, generations.issue()).deflating(true);
        let mut login = |at: ConnectionRef, former: Option<&User>, user, is_reliable| {
            at.at_login(former, user, is_reliable, &mut generations)
        };
        let first = login(at, None, &one, false);
        assert_eq!(first, at, "nothing is addressed to who was nobody yet");
        assert_eq!(login(first, Some(&one), &one, false), first);
        let switched = login(first, Some(&one), &two, false);
        let attached = login(switched, Some(&two), &two, true);
        let back = login(attached, Some(&two), &one, true);
        assert!(back.is_reliable() && !switched.is_reliable());
        let all = [first, switched, attached, back];
        let logins: std::collections::BTreeSet<_> = all.iter().map(|at| at.generation()).collect();
        assert_eq!(logins.len(), all.len());
        assert!(
            all.iter()
                .all(|at| (at.slot(), at.shard(), at.deflates()) == (5, 3, true))
        );
    }

    #[test]
    fn another_form_takes_the_place_of_the_former_also_at_the_bound() {
        let mut registry = Registry::new(2);
        let one = registry.log_in(at(1), None, user("user:1")).unwrap();
        registry
            .log_in(at(7), Some((at(1), &one)), user("user:1"))
            .unwrap();
        assert_eq!(registry.connections(&one), [at(7)]);
        registry.log_in(at(3), None, user("user:1")).unwrap();
        registry
            .log_in(at(2), Some((at(7), &one)), user("user:1"))
            .unwrap();
        assert_eq!(registry.connections(&one), [at(2), at(3)]);
    }
}
