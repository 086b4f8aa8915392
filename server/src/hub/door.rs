//! The door: how many connections there may be, all together and from one address. A [`Permit`] is held for as long
//! as a connection lives.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts who is in.
#[derive(Debug)]
pub struct Door {
    inside: AtomicUsize,
    max_inside: usize,
    /// Only kept when there is a bound; at most one entry per open connection.
    by_address: Mutex<HashMap<IpAddr, usize>>,
    max_per_address: usize,
}

/// One connection's leave to be here; returned when dropped.
#[derive(Debug)]
pub struct Permit {
    door: Arc<Door>,
    /// Boxed because it is seldom there: most connections have a bound on neither.
    address: Option<Box<IpAddr>>,
}

/// Why nobody else may enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `limits.max_connections` are open.
    #[error("the server has too many connections")]
    Server,
    /// `limits.max_connections_per_address` are open from there.
    #[error("too many connections from this address")]
    Address,
}

impl Door {
    /// A door with these bounds; `max_per_address` 0 means none.
    pub fn new(max_inside: usize, max_per_address: usize) -> Arc<Self> {
        Arc::new(Self {
            inside: AtomicUsize::new(0),
            max_inside,
            by_address: Mutex::default(),
            max_per_address,
        })
    }

    /// Lets one connection in.
    ///
    /// # Errors
    /// The bound that is reached.
    pub fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Permit, Refusal> {
        if self.inside.fetch_add(1, Relaxed) >= self.max_inside {
            self.inside.fetch_sub(1, Relaxed);
            return Err(Refusal::Server);
        }
        // From here on the drop of the permit undoes what was counted.
        let mut permit = Permit {
            door: self.clone(),
            address: None,
        };
        if self.max_per_address > 0 {
            let mut by_address = self
                .by_address
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let count = by_address.entry(address).or_insert(0);
            if *count >= self.max_per_address {
                drop(by_address);
                return Err(Refusal::Address);
            }
            *count += 1;
            permit.address = Some(Box::new(address));
        }
        Ok(permit)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.door.inside.fetch_sub(1, Relaxed);
        if let Some(address) = self.address.take() {
            let mut by_address = self
                .door
                .by_address
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            if let Some(count) = by_address.get_mut(&*address) {
                *count -= 1;
                if *count == 0 {
                    by_address.remove(&*address);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_house_lets_in_only_after_somebody_left() {
        let door = Door::new(2, 0);
        let home = IpAddr::from([10, 0, 0, 1]);
        let first = door.enter(home).unwrap();
        let _second = door.enter(home).unwrap();
        assert_eq!(door.enter(home).unwrap_err(), Refusal::Server);
        drop(first);
        assert!(door.enter(home).is_ok());
    }

    #[test]
    fn one_address_does_not_take_the_places_of_others() {
        let door = Door::new(100, 1);
        let (here, there) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        let permit = door.enter(here).unwrap();
        assert_eq!(door.enter(here).unwrap_err(), Refusal::Address);
        assert!(door.enter(there).is_ok());
        assert_eq!(door.inside.load(Relaxed), 1, "a refused one is not counted");
        drop(permit);
        assert!(door.enter(here).is_ok());
        assert!(door.by_address.lock().unwrap().is_empty());
    }
}
