//! The few calls that speak of a text, a listen pattern or an event name: `text` says it, and the next call means it.
//! None of them is on the path of a message, because event names are interned once.

use std::cell::RefCell;

use heartline_client_core::{Epoch, Incoming, Input, ListenMode, Millis, PayloadRef};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::emit;
use crate::feed::handle;
use crate::registry::with;
use heartline_client_core::boundary::{codes, misuse_code};

thread_local! {
    static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// The text that the following calls speak of. The only one that carries one: each would bring its own copy of the
/// code that takes a text in.
#[wasm_bindgen]
pub fn text(text: String) {
    TEXT.set(text);
}

/// Registers a listener for the pattern said with `text`, and answers its id, or a `MISUSE_*` code.
#[wasm_bindgen]
pub fn listen(instance: u32, now: u32) -> i32 {
    let answer = with(instance, |client| {
        let listener = client.next_listener_id();
        let outcome = TEXT.with_borrow(|pattern| {
            client.handle(
                Millis(now.into()),
                Input::Listen {
                    listener,
                    pattern,
                    mode: ListenMode::Add,
                },
            )
        });
        crate::emit::all(instance, client, Millis(now.into()));
        outcome.map_or_else(misuse_code, |()| listener.0 as i32)
    });
    answer.unwrap_or(codes::MISUSE_NO_SUCH_CLIENT)
}

/// A number for the event name said with `text`, or -1 when the table is full: use `named_push` then.
#[wasm_bindgen]
pub fn intern(instance: u32) -> i32 {
    with(instance, |client| {
        TEXT.with_borrow(|name| client.intern(name))
    })
    .flatten()
    .map_or(codes::NONE, |event| event.0 as i32)
}

/// It is the turn of a message of the event said with `text`: each listener that hears it is emitted as `OUT_DELIVER`.
#[wasm_bindgen]
pub fn deliver_turn(instance: u32, now: u32, body: u32) {
    with(instance, |client| {
        TEXT.with_borrow(|name| client.deliver_turn(name, PayloadRef(body)));
        emit::all(instance, client, Millis(now.into()));
    });
}

/// A push whose event name, said with `text`, is not interned. Answers like `feed`.
#[wasm_bindgen]
pub fn named_push(instance: u32, now: u32, epoch: u32, body: u32) -> i32 {
    TEXT.with_borrow(|event| {
        let frame = Incoming::NamedPush {
            event,
            body: PayloadRef(body),
        };
        let epoch = Epoch(epoch);
        handle(instance, now, Input::Frame { epoch, frame })
    })
}
