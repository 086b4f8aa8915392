//! The numbers of the boundary. `js-shim/src/core/codes.ts` carries the same names and numbers; its test reads
//! this file, so the two cannot drift apart.
//!
//! Each constant's comment names the numbers that travel with it, 32 bits each. "None" is the largest, -1 in JavaScript.
//! A request's number is the core's id of it: a client that asks more than 2^31 times must be made anew.

#![allow(missing_docs)] // The comments below document groups and arguments.

// Inputs, `feed(instance, kind, now, a, b, c, d)`.
pub const IN_START: u32 = 0;
pub const IN_STOP: u32 = 1;
pub const IN_DISCONNECT: u32 = 2;
pub const IN_DESTROY: u32 = 3;
pub const IN_IDENTITY: u32 = 4; // present
pub const IN_REQUEST: u32 = 5; // id, timeout ms (0: default), bytes (the top bit: idempotent), queue key (none: do not queue)
pub const IN_REQUEST_EARLY: u32 = 6; // the same, not waiting for the login
pub const IN_CANCEL: u32 = 7; // id
pub const IN_UNLISTEN: u32 = 8; // listener
pub const IN_CREDENTIALS: u32 = 9; // id, ready
pub const IN_OPENED: u32 = 10; // epoch
pub const IN_REPLY: u32 = 11; // epoch, id, ok, body
pub const IN_PING: u32 = 12; // epoch, token
pub const IN_PUSH: u32 = 13; // epoch, event, body
pub const IN_OTHER: u32 = 14; // epoch
pub const IN_SEND_FAILED: u32 = 15; // epoch, id, unknown (0: it certainly never left)
pub const IN_FAILED: u32 = 16; // epoch
pub const IN_CLOSED: u32 = 17; // epoch, code (or none), advised delay ms (or none)
pub const IN_NETWORK: u32 = 18; // online
pub const IN_VISIBILITY: u32 = 19; // visible
pub const IN_TIMEOUT: u32 = 20;
pub const IN_POSITION: u32 = 21; // place, handled
pub const IN_HANDLED: u32 = 22; // stream, turn, ok
pub const IN_ATTACHED: u32 = 23; // epoch, place, offset
pub const IN_DURABLE: u32 = 24; // epoch, stream, offset, body
pub const IN_GAP: u32 = 25; // epoch, place, from, to: of retention
pub const IN_GAP_EPOCH: u32 = 26; // the same: the stream is another one
pub const IN_STORED: u32 = 27; // place, handled, ok
pub const IN_FORGET: u32 = 28; // stream
pub const IN_GIVE_UP: u32 = 29; // stream, turn

// A place: the number of a stream, and from this bit on that of its epoch. Both are below what is left for them.
pub const PLACE_SHIFT: u32 = 6;

// Outputs, `emit(instance, kind, a, b, c)`.
pub const OUT_OPEN: u32 = 0; // epoch
pub const OUT_CLOSE: u32 = 1; // epoch, code
pub const OUT_CREDENTIALS: u32 = 2; // epoch, id
pub const OUT_LOGIN: u32 = 3; // epoch, id
pub const OUT_PING: u32 = 4; // epoch, id
pub const OUT_PONG: u32 = 5; // epoch, token
pub const OUT_REQUEST: u32 = 6; // epoch, id
pub const OUT_SETTLE: u32 = 7; // id, fate, its argument
pub const OUT_DELIVER: u32 = 8; // listener, body
pub const OUT_RELEASE: u32 = 9; // body
pub const OUT_PHASE: u32 = 10; // phase, then for waiting: attempt, in how many ms (none: a signal); for closed: reason, code
pub const OUT_LOGGED_IN: u32 = 11; // body, again
pub const OUT_LOGIN_REFUSED: u32 = 12; // body
pub const OUT_DISCONNECTED: u32 = 13; // reason, code (or none)
pub const OUT_OUTBOX_DROPPED: u32 = 14; // id, drop reason
pub const OUT_HEARER: u32 = 15; // listener: a part of the answer of `push`, nothing to act on
pub const OUT_TURN: u32 = 16; // stream, turn, body (none: the gap told right before)
pub const OUT_PERSIST: u32 = 17; // place, handled
pub const OUT_STAND: u32 = 18; // place, received, handled
pub const OUT_GAP: u32 = 19; // place, from, to: of retention
pub const OUT_GAP_EPOCH: u32 = 20; // the same: the stream is another one
pub const OUT_POISONED: u32 = 21; // stream, offset, body (none: a gap)
pub const OUT_ACK: u32 = 22; // epoch, stream, offset
pub const OUT_PARK: u32 = 23; // epoch
pub const OUT_SHOW: u32 = 24; // epoch

// Fates of a request.
pub const FATE_OK: u32 = 0; // body
pub const FATE_REFUSED: u32 = 1; // body
pub const FATE_NOT_SENT: u32 = 2; // why
pub const FATE_SENT_UNKNOWN: u32 = 3;
pub const FATE_TIMED_OUT: u32 = 4; // sent
pub const FATE_CANCELLED: u32 = 5; // sent

// Why a request was not sent, or dropped from the outbox.
pub const UNSENT_NOT_READY: u32 = 0;
pub const UNSENT_FULL: u32 = 1;
pub const UNSENT_SOCKET: u32 = 2;
pub const UNSENT_DROPPED_FULL: u32 = 3;
pub const UNSENT_DROPPED_EXPIRED: u32 = 4;
pub const UNSENT_DROPPED_SUPERSEDED: u32 = 5;

// Phases.
pub const PHASE_IDLE: u32 = 0;
pub const PHASE_CONNECTING: u32 = 1;
pub const PHASE_OPEN: u32 = 2;
pub const PHASE_LOGGING_IN: u32 = 3;
pub const PHASE_READY: u32 = 4;
pub const PHASE_WAITING_BACKOFF: u32 = 5;
pub const PHASE_WAITING_ADVISED: u32 = 6;
pub const PHASE_WAITING_NETWORK: u32 = 7;
pub const PHASE_PARKED: u32 = 8;
pub const PHASE_CLOSED: u32 = 9;

// Why a connection is no more.
pub const CLOSE_ASKED: u32 = 0;
pub const CLOSE_LOGGED_OUT: u32 = 1;
pub const CLOSE_DIAL_FAILED: u32 = 2;
pub const CLOSE_DIAL_TIMED_OUT: u32 = 3;
pub const CLOSE_REMOTE: u32 = 4;
pub const CLOSE_DEAD: u32 = 5;
pub const CLOSE_ERROR: u32 = 6;
pub const CLOSE_OFFLINE: u32 = 7;

// Settings, `option(instance, key, value)`.
pub const OPTION_RECONNECT_MIN_MS: u32 = 0;
pub const OPTION_RECONNECT_MAX_MS: u32 = 1;
pub const OPTION_RECONNECT_FIXED_MS: u32 = 2;
pub const OPTION_DIAL_TIMEOUT_MS: u32 = 3;
pub const OPTION_LOGIN_TIMEOUT_MS: u32 = 4;
pub const OPTION_HEARTBEAT_MS: u32 = 5;
pub const OPTION_HEARTBEAT_GRACE_MS: u32 = 6;
pub const OPTION_PROBE_GRACE_MS: u32 = 7;
pub const OPTION_CLOCK_JUMP_MS: u32 = 8;
pub const OPTION_STABLE_AFTER_MS: u32 = 9;
pub const OPTION_REQUEST_TIMEOUT_MS: u32 = 10;
pub const OPTION_MAX_REQUESTS: u32 = 11;
pub const OPTION_OUTBOX_MAX_ENTRIES: u32 = 12;
pub const OPTION_OUTBOX_MAX_BYTES: u32 = 13;
pub const OPTION_OUTBOX_MAX_AGE_MS: u32 = 14;
pub const OPTION_MAX_LISTENERS: u32 = 15;
pub const OPTION_MAX_EVENT_NAMES: u32 = 16;

// What `feed` answers instead of a deadline, and `listen` and `intern` instead of an id.
pub const NONE: i32 = -1;
pub const MISUSE_DESTROYED: i32 = -2;
pub const MISUSE_REQUEST_ID: i32 = -3;
pub const MISUSE_LISTENER_ID: i32 = -4;
pub const MISUSE_BAD_PATTERN: i32 = -5;
pub const MISUSE_TOO_MANY_LISTENERS: i32 = -6;
pub const MISUSE_UNKNOWN_EVENT: i32 = -7;
pub const MISUSE_NO_SUCH_CLIENT: i32 = -8;
pub const MISUSE_NO_SUCH_INPUT: i32 = -9;
pub const MISUSE_NO_SUCH_STREAM: i32 = -10;
pub const MISUSE_STREAM_IN_USE: i32 = -11;
