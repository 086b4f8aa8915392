/**
 * The seams between the rooms of this package: a platform's socket, a platform's host, and the client that
 * drives the wasm core on them. Types only.
 */

/** What a platform's socket tells. Called in any order a bad platform likes; the client sorts it out by epoch. */
export interface SocketEvents {
  open(): void
  /** Text, or bytes that hold UTF-8 text. */
  message(data: string | ArrayBuffer): void
  /** Always the end of this socket: a close may never follow. */
  error(detail: string): void
  close(code: number | undefined, reason: string | undefined): void
}

/** What became of one send. `unknown`: it failed, but may have left (the App platform). */
export type SendFate = 'accepted' | 'not-sent' | 'unknown'

/** One connection attempt on a platform. Calls after close do nothing; no method ever throws. */
export interface Socket {
  send(text: string, done: (fate: SendFate) => void): void
  close(code: number, reason: string): void
}

/** Everything a platform gives the client. Each member may be replaced in tests. */
export interface Host {
  /** A short name: 'uni', 'wx', 'my', 'tt', 'web', 'test'. */
  readonly name: string
  /** Dial. Attaches all handlers synchronously; must not throw: failures are `events.error`. */
  connect(url: string, options: ConnectOptions, events: SocketEvents): Socket
  /** Milliseconds, monotonic as far as the platform allows. */
  now(): number
  /** Throws where this host cannot connect at all: asked when a line is started. */
  check?(): void
  setTimer(ms: number, run: () => void): () => void
  /** Random bytes if the platform has a synchronous source, else undefined. */
  randomBytes?(count: number): Uint8Array | undefined
  /** Whether there is a network now. Absent: assume there is. Must answer within its own time limit: nobody else counts. */
  networkOnline?(answer: (online: boolean) => void): void
  /** Subscribe to network changes; returns an unsubscribe (which may only mute, where the platform has no off). */
  onNetwork?(listener: (online: boolean) => void): () => void
  /** What outlives the app, by key. Each may throw. Absent: nothing does. */
  storage?: PositionStorage
  /** Subscribe to app show / hide. */
  onVisibility?(listener: (visible: boolean) => void): () => void
}

/** A platform's storage of texts: what `set` has taken is there in the app's next life. One that throws, or whose promise rejects, has not taken it. */
export interface PositionStorage {
  /** Anything empty when there is nothing. */
  get(key: string): unknown
  set(key: string, value: string): unknown
}

/** Options of the platform's connect call that are passed through. */
export interface ConnectOptions {
  protocols?: string[]
  header?: Record<string, string>
}
