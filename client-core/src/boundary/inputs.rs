//! Numbers become inputs.

use super::codes;
use crate::{
    Epoch, EpochTag, EventId, GapReason, Incoming, Input, ListenerId, PayloadRef, RequestId,
    RequestOptions, SendOutcome, StreamId, Unsent,
};

/// The input that these numbers say; `None`: no such input, or one that needs a text.
pub fn input(kind: u32, [a, b, c, d]: [u32; 4]) -> Option<Input<'static>> {
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
        #[cfg(not(target_arch = "wasm32"))]
        codes::IN_GIVE_UP => Input::GiveUp {
            stream: StreamId(a),
            turn: b,
        },
        codes::IN_FORGET => Input::Forget {
            stream: StreamId(a),
        },
        codes::IN_STORED => {
            let (stream, tag) = place(a);
            Input::Stored {
                stream,
                tag,
                handled: b,
                ok: c != 0,
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
