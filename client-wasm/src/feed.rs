//! Numbers in: one call per input, answered with the next deadline.

use heartline_client_core::{
    ApiMisuse, Client, Epoch, EpochTag, EventId, GapReason, Incoming, Input, ListenerId, Millis,
    PayloadRef, RequestId, RequestOptions, SendOutcome, StreamId, Unsent,
};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::registry::with;
use crate::{codes, emit};

/// Feeds one input. Answers in how many milliseconds the next deadline is, -1 when there is none, or a `MISUSE_*` code.
///
/// `now` is the low half of a clock in milliseconds; JavaScript makes that of any number at a boundary of 32 bits.
/// Every output is emitted before this returns; the driver acts on them afterwards.
#[wasm_bindgen]
pub fn feed(instance: u32, kind: u32, now: u32, a: u32, b: u32, c: u32, d: u32) -> i32 {
    match input(kind, a, b, c, d) {
        Some(input) => handle(instance, now, input),
        None => misuse(codes::MISUSE_NO_SUCH_INPUT),
    }
}

/// The quick way of a push: no time, no payload, nothing to act on. Each listener that hears it is emitted as `OUT_HEARER`,
/// in their order.
///
/// Answers 0. Or `NONE` when nothing was done, because there is more to it: feed `IN_PUSH`.
#[wasm_bindgen]
pub fn push(instance: u32, epoch: u32, event: u32) -> i32 {
    let tell = |client: &mut Client| {
        let hearers = client.push(Epoch(epoch), EventId(event))?;
        for hearer in hearers {
            emit::one(instance, codes::OUT_HEARER, hearer.0);
        }
        Some(0)
    };
    with(instance, tell).flatten().unwrap_or(codes::NONE)
}

/// The id that the next `IN_REQUEST` must carry, or -1 when there is no such client.
#[wasm_bindgen]
pub fn next_request(instance: u32) -> i32 {
    with(instance, |client| client.next_request_id().0 as i32).unwrap_or(codes::NONE)
}

/// Handles `input`, emits every output, answers the next deadline.
pub(crate) fn handle(instance: u32, now: u32, input: Input<'_>) -> i32 {
    let now = Millis(now.into());
    let answer = with(instance, |client| {
        let outcome = client.handle(now, input);
        emit::all(instance, client, now);
        match outcome {
            Ok(()) => deadline(client, now),
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

pub(crate) fn misuse_code(misuse: ApiMisuse) -> i32 {
    match misuse {
        ApiMisuse::Destroyed => codes::MISUSE_DESTROYED,
        ApiMisuse::RequestIdOutOfTurn => codes::MISUSE_REQUEST_ID,
        ApiMisuse::ListenerIdOutOfTurn => codes::MISUSE_LISTENER_ID,
        ApiMisuse::BadPattern => codes::MISUSE_BAD_PATTERN,
        ApiMisuse::TooManyListeners => codes::MISUSE_TOO_MANY_LISTENERS,
        ApiMisuse::UnknownEvent => codes::MISUSE_UNKNOWN_EVENT,
        ApiMisuse::NoSuchStream => codes::MISUSE_NO_SUCH_STREAM,
    }
}

/// The driver, not the app, broke a rule: says so where there is a console, and hands the code on.
fn misuse(code: i32) -> i32 {
    #[cfg(feature = "report")]
    crate::report::misuse(code);
    code
}

/// No deadline is further ahead than 31 bits can say.
fn deadline(client: &Client, now: Millis) -> i32 {
    client
        .poll_timeout()
        .map_or(codes::NONE, |at| at.0.wrapping_sub(now.0) as i32)
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
        codes::IN_POSITION => {
            let (stream, tag) = place(a);
            Input::Position {
                stream,
                tag,
                handled: b,
            }
        }
        codes::IN_HANDLED => Input::Handled {
            stream: StreamId(a),
            turn: b,
            ok: c != 0,
        },
        codes::IN_ATTACHED => {
            let (stream, tag) = place(b);
            frame(Incoming::Attached {
                stream,
                tag,
                offset: c,
            })
        }
        codes::IN_DURABLE => frame(Incoming::Durable {
            stream: StreamId(b),
            offset: c,
            body: payload(d),
        }),
        codes::IN_GAP | codes::IN_GAP_EPOCH => {
            let (stream, tag) = place(b);
            let reason = if kind == codes::IN_GAP {
                GapReason::Retention
            } else {
                GapReason::Epoch
            };
            frame(Incoming::Gap {
                stream,
                tag,
                from: c,
                to: d,
                reason,
            })
        }
        _ => return None,
    })
}

fn request(a: u32, b: u32, c: u32, d: u32, before_login: bool) -> Input<'static> {
    let unsent = known(d).map_or(Unsent::Fail, |key| Unsent::Queue { key });
    let options = RequestOptions {
        timeout_ms: b,
        unsent,
        before_login,
        idempotent: c & IDEMPOTENT != 0,
        bytes: c & !IDEMPOTENT,
    };
    Input::Request { id: id(a), options }
}

/// The bit that says so beside a request's size.
const IDEMPOTENT: u32 = 1 << 31;

fn place(number: u32) -> (StreamId, EpochTag) {
    let stream = number & ((1 << codes::PLACE_SHIFT) - 1);
    (StreamId(stream), EpochTag(number >> codes::PLACE_SHIFT))
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

/// The largest number (-1 in JavaScript) stands for "not known" where a number may be missing.
fn known(number: u32) -> Option<u32> {
    (number != u32::MAX).then_some(number)
}
