//! The wake-up call: a promise that resolves when a deadline has come.
//!
//! One sleeper per client: arming it anew silences the former one, which drops its timer. The promise says whether it
//! rang (`true`) or was silenced (`false`); JavaScript then feeds `IN_TIMEOUT` itself, so no app
//! callback ever runs inside this module. A driver with a timer of its own, such as a test on a fake clock, never
//! calls this.

use std::cell::RefCell;

use futures::future::{AbortHandle, abortable};
use gloo_timers::future::TimeoutFuture;
use js_sys::Promise;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen_futures::future_to_promise;

thread_local! {
    /// The sleeper of each client, by its number. As long as the registry's table at most.
    static SLEEPERS: RefCell<Vec<Option<AbortHandle>>> = const { RefCell::new(Vec::new()) };
}

/// Rings in `ms` milliseconds, unless silenced or armed anew before.
#[wasm_bindgen]
pub fn alarm(instance: u32, ms: u32) -> Promise {
    // A longer delay would overflow the timer of a browser and ring at once. Ringing early is harmless.
    let (sleeper, handle) = abortable(TimeoutFuture::new(ms.min(MAX_DELAY_MS)));
    replace(instance, Some(handle));
    future_to_promise(async move { Ok(JsValue::from_bool(sleeper.await.is_ok())) })
}

/// Silences the sleeper of a client, if there is one.
pub(crate) fn silence(instance: u32) {
    replace(instance, None);
}

fn replace(instance: u32, handle: Option<AbortHandle>) {
    let at = instance as usize;
    let former = SLEEPERS.with_borrow_mut(|sleepers| {
        if handle.is_some() && sleepers.len() <= at {
            sleepers.resize_with(at + 1, || None);
        }
        std::mem::replace(sleepers.get_mut(at)?, handle)
    });
    if let Some(former) = former {
        former.abort();
    }
}

const MAX_DELAY_MS: u32 = 0x7fff_ffff;
