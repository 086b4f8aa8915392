/** What an app tells the client, and what the client tells an app. Types only. */
import type { ConnectOptions, Host } from '../types'
import type { Recorder } from './recorder'
import type { Durable } from './streams'
import type { CLOSE, OptionName, WAITS } from './codes'

export interface Credentials {
  u: string
  token: string
}

type Maybe<T> = T | null | undefined

/** Every duration is in milliseconds; what is left out has the core's default. */
export interface ClientOptions extends Partial<Record<OptionName, number>> {
  /** `wss://…` or `ws://…`. Asked before each dial when it is a function. */
  url: string | (() => string)
  host: Host
  /** Asked before each login. Null: nobody is logged in. */
  credentials?: () => Maybe<Credentials> | Promise<Maybe<Credentials>>
  /** Where the module is: a path in the package (mini-programs), an address (H5) or its bytes. Else the JavaScript build. */
  wasm?: string | ArrayBuffer | Uint8Array | false
  /** `durable()`: the server's stored pushes reach this device in order, each once, also across restarts of the app. */
  durable?: Durable
  /** `recorder()`: keeps what the core is told and decides, for a bug report that can be replayed. */
  recorder?: Recorder
  connectOptions?: ConnectOptions
  /** The bounds of the delay between attempts. */
  reconnect?: { minMs?: number; maxMs?: number }
  /** What a callback of the app threw or rejected with. Without it, it goes to the console. */
  onListenerError?(error: unknown): void
  /** True: each step goes to the console; or a function that takes the lines. Tokens are never told. */
  debug?: boolean | ((line: string) => void)
}

export type CloseReason = (typeof CLOSE)[number] | 'failed'

export interface ClientState {
  phase: 'idle' | 'connecting' | 'open' | 'loggingIn' | 'ready' | 'waiting' | 'parked' | 'closed'
  /** Waiting: which attempt comes next, from 1. */
  attempt?: number
  /** Waiting: how long; absent where it waits for a signal. */
  retryInMs?: number
  /** Waiting: the same as a moment of `Date.now()`. */
  until?: number
  /** Waiting: `backoff`, `advised` or `network`. Closed: why. */
  reason?: CloseReason | (typeof WAITS)[number]
  /** Closed by the peer: its close code. */
  code?: number
}

/** As much of an AbortSignal as is needed. */
export interface AbortSignalLike {
  readonly aborted: boolean
  addEventListener?(type: 'abort', listener: () => void): void
  removeEventListener?(type: 'abort', listener: () => void): void
}

export interface RequestOptions {
  timeoutMs?: number
  signal?: AbortSignalLike
  /** Keep it until the line is ready. A text: of those with the same text only the latest is kept. */
  queue?: boolean | string
  /** Doing it twice is as good as once: it is sent again, with its id, if the line is lost before the reply. */
  idempotent?: boolean
  /** Needs only an open socket, not a login. */
  beforeLogin?: boolean
}

/**
 * A push: the whole message. Of a stored push the position moves once everything that was returned has resolved; after a throw or a
 * rejection it comes again.
 */
export type Listener = (message: any) => unknown

/** The news of the line itself. */
export interface News {
  state: ClientState
  /** `again`: not the first login of this client. `data` is the reply's. */
  login: { again: boolean; data: any }
  /** The reply's data. */
  loginRefused: any
  /** `errMsg`: the platform's own words, or the peer's; such as that the domain is not in the platform's list. */
  disconnect: { reason: CloseReason; code?: number; errMsg?: string }
  /**
   * Stored pushes that will never come, from and to included (`to` below `from`: of this epoch none). What the callback
   * returns is waited for, as with a push.
   */
  gap: { stream: string; epoch: string; from: number; to: number; reason: 'retention' | 'epoch' }
  /** The app failed five times with a stored push; the stream went on behind it. Without a message: with a gap. */
  poisoned: { stream: string; offset: number; message?: any }
  /** The storage failed: after a restart stored pushes may repeat. */
  storage: { error: unknown }
  /** A queued request was dropped; its promise is rejected as well. */
  outboxDropped: { event: string; reason: string }
  /** The core failed. The client settles every promise and starts afresh, unless `final`. */
  fatal: { error: unknown; final: boolean }
  /** The module could not be loaded: the JavaScript build is used. */
  fallback: { loader: string; error: unknown }
}

/** What a reply's `data` looks like. */
export interface ReplyData {
  error: number
  body?: any
  [field: string]: any
}

/** The client of an app. Its methods need no `this`. Wrong arguments throw a TypeError at once, and change nothing. */
export interface HeartlineClient {
  /** Resolves when the core is there; rejects when not even the JavaScript build could be loaded. */
  readonly loaded: Promise<void>
  readonly state: ClientState
  /** What runs the core: 'wx', 'tt', 'my', 'wasm' or 'js'; undefined while it loads. */
  readonly engine: string | undefined
  /** A socket is being dialled or is open. */
  readonly isConnected: boolean
  readonly isOpen: boolean
  readonly isLogin: boolean
  /** Keeps a line from now on. Somebody is taken to be logged in unless `identity(false)` was said. */
  start(): void
  /** Closes the line and stays closed until `start`. Every request settles. */
  stop(): void
  /** Drops the present socket; the line revives after its delay. */
  disconnect(): void
  /** Closes for ever, and lets everything go: also what hot reload must call before the next client is made. */
  destroy(): void
  /** The app's user logged in, or another one did (true); or logged out (false). */
  identity(present: boolean): void
  /** Resolves with the reply's data, or rejects with a HeartlineError. */
  request<T = ReplyData>(event: string, data?: unknown, options?: RequestOptions): Promise<T>
  /** `pattern`: a name, a prefix ending in `*`, or `*`. Answers its own unsubscribe. */
  on(pattern: string, fn: Listener, options?: { replace?: boolean }): () => void
  once(pattern: string, fn: Listener): () => void
  /** `pattern` and `fn`: this callback there; `pattern`: all of it; neither: all. */
  off(pattern?: string, fn?: Listener): void
  /** News of the line itself. Answers its own unsubscribe. */
  listen<K extends keyof News>(kind: K, fn: (news: News[K]) => unknown): () => void
  /** Where the client stands, for a bug report. No secrets. */
  diagnostics(): Diagnostics
}

export interface Diagnostics {
  state: ClientState
  engine: string | undefined
  /** How many requests are not settled, listeners are kept, payloads are held. */
  requests: number
  listeners: number
  payloads: number
}
