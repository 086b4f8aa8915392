//! The clients of this module, by number: a page has one, a test bench has hundreds.

use std::cell::RefCell;

use heartline_client_core::{Client, Millis};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::options;

/// At most this many clients in one module. A driver that needs more loads another module.
const MAX_CLIENTS: usize = 1_024;

thread_local! {
    static CLIENTS: RefCell<Vec<Option<Client>>> = const { RefCell::new(Vec::new()) };
}

/// A client with the settings given to `option` before. Answers its number, or -1 when the table is full.
///
/// `seed` feeds the jitter (any non-negative number below 2^53); `now` is the present in milliseconds.
#[wasm_bindgen]
pub fn create(seed: f64, now: f64) -> f64 {
    let client = Client::new(options::take(), seed as u64, millis(now));
    CLIENTS.with_borrow_mut(|clients| {
        let free = clients.iter().position(Option::is_none);
        let at = free.unwrap_or(clients.len());
        if at >= MAX_CLIENTS {
            return crate::codes::NONE;
        }
        if free.is_none() {
            clients.push(None);
        }
        clients[at] = Some(client);
        at as f64
    })
}

/// Forgets a client. Feed it `Destroy` first, so that its requests settle.
#[wasm_bindgen]
pub fn discard(instance: u32) {
    #[cfg(feature = "alarm")]
    crate::alarm::silence(instance);
    CLIENTS.with_borrow_mut(|clients| {
        if let Some(slot) = clients.get_mut(instance as usize) {
            *slot = None;
        }
    });
}

/// Runs `work` on a client; `None` when there is no such client.
pub(crate) fn with<T>(instance: u32, work: impl FnOnce(&mut Client) -> T) -> Option<T> {
    CLIENTS.with_borrow_mut(|clients| clients.get_mut(instance as usize)?.as_mut().map(work))
}

/// An instant as the boundary carries it. Fractions are cut off; negative instants are 0.
pub(crate) fn millis(now: f64) -> Millis {
    Millis(now as u64)
}
