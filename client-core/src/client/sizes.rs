//! How full the bounded collections are: what the property test holds against the bounds.

use super::Client;

/// See [`Client::sizes`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Sizes {
    pub outputs: usize,
    pub requests: usize,
    pub pool_slots: usize,
    pub outbox_entries: usize,
    pub outbox_bytes: u32,
    pub listeners: usize,
    pub event_names: usize,
}

impl Client {
    /// How much of each bounded collection is in use. For tests and curiosity.
    #[doc(hidden)]
    pub fn sizes(&self) -> Sizes {
        let (listeners, event_names) = self.router.sizes();
        Sizes {
            outputs: self.outputs.len() - self.next_output,
            requests: self.pool.len(),
            pool_slots: self.pool.footprint(),
            outbox_entries: self.outbox.len(),
            outbox_bytes: self.outbox.bytes(),
            listeners,
            event_names,
        }
    }
}
