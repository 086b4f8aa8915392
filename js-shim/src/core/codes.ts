/**
 * The numbers of the boundary, as `client-core/src/boundary/codes.rs` has them; a test compares the two files. What travels
 * with each number is told there.
 */

export const enum In {
  START = 0,
  STOP = 1,
  DISCONNECT = 2,
  DESTROY = 3,
  IDENTITY = 4,
  REQUEST = 5,
  REQUEST_EARLY = 6,
  CANCEL = 7,
  UNLISTEN = 8,
  CREDENTIALS = 9,
  OPENED = 10,
  REPLY = 11,
  PING = 12,
  PUSH = 13,
  OTHER = 14,
  SEND_FAILED = 15,
  FAILED = 16,
  CLOSED = 17,
  NETWORK = 18,
  VISIBILITY = 19,
  TIMEOUT = 20,
  POSITION = 21,
  HANDLED = 22,
  ATTACHED = 23,
  DURABLE = 24,
  GAP = 25,
  GAP_EPOCH = 26,
  STORED = 27,
  FORGET = 28,
  GIVE_UP = 29,
}

export const enum Out {
  OPEN = 0,
  CLOSE = 1,
  CREDENTIALS = 2,
  LOGIN = 3,
  PING = 4,
  PONG = 5,
  REQUEST = 6,
  SETTLE = 7,
  DELIVER = 8,
  RELEASE = 9,
  PHASE = 10,
  LOGGED_IN = 11,
  LOGIN_REFUSED = 12,
  DISCONNECTED = 13,
  OUTBOX_DROPPED = 14,
  HEARER = 15,
  TURN = 16,
  PERSIST = 17,
  STAND = 18,
  GAP = 19,
  GAP_EPOCH = 20,
  POISONED = 21,
  ACK = 22,
  PARK = 23,
  SHOW = 24,
}

export const enum Fate {
  OK = 0,
  REFUSED = 1,
  NOT_SENT = 2,
  SENT_UNKNOWN = 3,
  TIMED_OUT = 4,
  CANCELLED = 5,
}

/** By `UNSENT_*`: why a request was not sent, or was dropped. */
export const UNSENT = ['not ready', 'full', 'socket', 'full', 'expired', 'superseded']

export const enum PhaseCode {
  IDLE = 0,
  CONNECTING = 1,
  OPEN = 2,
  LOGGING_IN = 3,
  READY = 4,
  WAITING_BACKOFF = 5,
  WAITING_ADVISED = 6,
  WAITING_NETWORK = 7,
  PARKED = 8,
  CLOSED = 9,
}

/** From `PHASE_WAITING_BACKOFF` on: what is waited for. */
export const WAITS = ['backoff', 'advised', 'network'] as const

/** By `CLOSE_*`: why a connection is no more. */
export const CLOSE = ['asked', 'loggedOut', 'dialFailed', 'dialTimedOut', 'remote', 'dead', 'error', 'offline'] as const

/** In the order of `OPTION_*`: the names under which an app gives them. */
export const OPTIONS = [
  'reconnectMinMs',
  'reconnectMaxMs',
  'reconnectTime',
  'dialTimeoutMs',
  'loginTimeoutMs',
  'heartbeatMs',
  'heartbeatGraceMs',
  'probeGraceMs',
  'clockJumpMs',
  'stableAfterMs',
  'requestTimeoutMs',
  'maxRequests',
  'outboxMaxEntries',
  'outboxMaxBytes',
  'outboxMaxAgeMs',
  'maxListeners',
  'maxEventNames',
] as const

export type OptionName = (typeof OPTIONS)[number]

/** A place is the number of a stream, and from this bit on that of its epoch. */
export const PLACE_SHIFT = 6

/** Beside a request's size: it may be sent twice. */
export const IDEMPOTENT = -0x80000000

/** "Not known", "none". */
export const NONE = -1
