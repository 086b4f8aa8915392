//! The clients of this module, by number: a page has one, a test bench has hundreds.

use std::cell::RefCell;

use heartline_client_core::{Client, Config, Millis};
use wasm_bindgen::prelude::wasm_bindgen;

/// At most this many clients in one module. A driver that needs more loads another module.
const MAX_CLIENTS: usize = 1_024;

/// A table of pointers at its full length: four kilobytes of memory and nothing of the download, which the code that
/// lets a list grow would be.
type Table = [Option<Box<Client>>; MAX_CLIENTS];

thread_local! {
    static CLIENTS: RefCell<Table> = const { RefCell::new([const { None }; MAX_CLIENTS]) };
}

/// A client with the default settings. Answers its number, or -1 when the table is full.
///
/// `seed` feeds the jitter; `now` is the present, as in `feed`.
#[wasm_bindgen]
pub fn create(seed: u32, now: u32) -> i32 {
    CLIENTS.with_borrow_mut(|clients| {
        let Some(at) = clients.iter().position(Option::is_none) else {
            return heartline_client_core::boundary::codes::NONE;
        };
        let client = Client::new(Config::default(), seed.into(), Millis(now.into()));
        clients[at] = Some(Box::new(client));
        at as i32
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
    CLIENTS.with_borrow_mut(|clients| clients.get_mut(instance as usize)?.as_deref_mut().map(work))
}
