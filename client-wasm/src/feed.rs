//! Numbers in: one call per input, answered with the next deadline.

use heartline_client_core::{
    ApiMisuse, Client, Epoch, EventId, Incoming, Input, ListenerId, PayloadRef, RequestId,
    RequestOptions, SendOutcome, Unsent,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::registry::{millis, with};
use crate::{codes, emit};

/// Feeds one input. Answers the instant of the next deadline, -1 when there is none, or a `MISUSE_*` code.
///
/// Every output is emitted before this returns; the driver acts on them afterwards.
#[wasm_bindgen]
pub fn feed(instance: u32, kind: u32, now: f64, a: u32, b: u32, c: u32, d: u32) -> f64 {
    match input(kind, a, b, c, d) {
        Some(input) => handle(instance, now, input),
        None => misuse(codes::MISUSE_NO_SUCH_INPUT),
    }
}

/// The quick way of a push, for the one call that each message costs: no time, no payload, no output.
///
/// Answers the number of the one listener that hears it, or 0 when nobody does. Negative: nothing was done, because
/// there is more to it or there are several listeners; feed `IN_PUSH`.
#[wasm_bindgen]
pub fn push(instance: u32, epoch: u32, event: u32) -> i32 {
    let hearers = |client: &mut Client| match client.push(Epoch(epoch), EventId(event)) {
        Some([]) => Some(0),
        Some([one]) => i32::try_from(one.0).ok(),
        _ => None,
    };
    with(instance, hearers).flatten().unwrap_or(NOT_TAKEN)
}

/// The id that the next `IN_REQUEST` must carry, or -1 when there is no such client.
#[wasm_bindgen]
pub fn next_request(instance: u32) -> f64 {
    with(instance, |client| client.next_request_id().0 as f64).unwrap_or(codes::NONE)
}

/// Handles `input`, emits every output, answers the next deadline.
pub(crate) fn handle(instance: u32, now: f64, input: Input<'_>) -> f64 {
    let answer = with(instance, |client| {
        let outcome = client.handle(millis(now), input);
        emit::all(instance, client, millis(now));
        match outcome {
            Ok(()) => deadline(client),
            Err(misuse) => misuse_code(misuse),
        }
    });
    let answer = answer.unwrap_or(codes::MISUSE_NO_SUCH_CLIENT);
    if answer < codes::NONE {
        misuse(answer)
    } else {
        answer
    }
}

pub(crate) fn misuse_code(misuse: ApiMisuse) -> f64 {
    match misuse {
        ApiMisuse::Destroyed => codes::MISUSE_DESTROYED,
        ApiMisuse::RequestIdOutOfTurn => codes::MISUSE_REQUEST_ID,
        ApiMisuse::ListenerIdOutOfTurn => codes::MISUSE_LISTENER_ID,
        ApiMisuse::BadPattern => codes::MISUSE_BAD_PATTERN,
        ApiMisuse::TooManyListeners => codes::MISUSE_TOO_MANY_LISTENERS,
        ApiMisuse::UnknownEvent => codes::MISUSE_UNKNOWN_EVENT,
    }
}

/// The driver, not the app, broke a rule: says so where there is a console, and hands the code on.
fn misuse(code: f64) -> f64 {
    #[cfg(feature = "report")]
    crate::report::misuse(code);
    code
}

fn deadline(client: &Client) -> f64 {
    client.poll_timeout().map_or(codes::NONE, |at| at.0 as f64)
}

fn input(kind: u32, a: u32, b: u32, c: u32, d: u32) -> Option<Input<'static>> {
    let epoch = Epoch(a);
    let frame = |frame| Input::Frame { epoch, frame };
    Some(match kind {
        codes::IN_START => Input::Start,
        codes::IN_STOP => Input::Stop,
        codes::IN_DISCONNECT => Input::Disconnect,
        codes::IN_DESTROY => Input::Destroy,
        codes::IN_IDENTITY => Input::Identity { present: a != 0 },
        codes::IN_REQUEST => request(a, b, c, d, false),
        codes::IN_REQUEST_EARLY => request(a, b, c, d, true),
        codes::IN_CANCEL => Input::Cancel { id: id(a) },
        codes::IN_UNLISTEN => Input::Unlisten {
            listener: ListenerId(a),
        },
        codes::IN_CREDENTIALS => Input::Credentials {
            id: id(a),
            ready: b != 0,
        },
        codes::IN_OPENED => Input::Opened { epoch },
        codes::IN_REPLY => frame(Incoming::Reply {
            id: id(b),
            ok: c != 0,
            body: payload(d),
        }),
        codes::IN_PING => frame(Incoming::Ping { token: payload(b) }),
        codes::IN_PUSH => frame(Incoming::Push {
            event: EventId(b),
            body: payload(c),
        }),
        codes::IN_OTHER => frame(Incoming::Other),
        codes::IN_SEND_FAILED => Input::SendFailed {
            epoch,
            id: id(b),
            outcome: outcome(c),
        },
        codes::IN_FAILED => Input::Failed { epoch },
        codes::IN_CLOSED => Input::Closed {
            epoch,
            code: known(b).map(|code| code as u16),
            retry_after_ms: known(c),
        },
        codes::IN_NETWORK => Input::Network { online: a != 0 },
        codes::IN_VISIBILITY => Input::Visibility { visible: a != 0 },
        codes::IN_TIMEOUT => Input::Timeout,
        _ => return None,
    })
}

fn request(a: u32, b: u32, c: u32, d: u32, before_login: bool) -> Input<'static> {
    let unsent = known(d).map_or(Unsent::Fail, |key| Unsent::Queue { key });
    let options = RequestOptions {
        timeout_ms: b,
        unsent,
        before_login,
        bytes: c,
    };
    Input::Request { id: id(a), options }
}

fn outcome(unknown: u32) -> SendOutcome {
    if unknown != 0 {
        SendOutcome::Unknown
    } else {
        SendOutcome::NotSent
    }
}

fn id(number: u32) -> RequestId {
    RequestId(number as usize)
}

fn payload(number: u32) -> PayloadRef {
    PayloadRef(number)
}

/// What `push` answers when it did nothing.
const NOT_TAKEN: i32 = -1;

/// The largest number (-1 in JavaScript) stands for "not known" where a number may be missing.
fn known(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}
