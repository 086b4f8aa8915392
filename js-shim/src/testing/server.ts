/**
 * A server within the test: speaks the classic protocol (login, ping, replies, pushes) and can be told to be slow,
 * silent or gone.
 */

/** A frame as a client sent it. */
export interface ClientFrame {
  event: string
  data?: any
  uuid?: unknown
}

/** The server's side of one socket. */
export interface FakeConnection {
  /** 1, 2, 3 … in the order of the dials that were answered. */
  readonly id: number
  readonly url: string
  /** Who logged in here, such as `user:6`. */
  user: string | undefined
  /** Everything that this client sent, oldest first. */
  readonly received: ClientFrame[]
  /** What was sent and is not a frame. */
  readonly garbage: string[]
  readonly isOpen: boolean
  /** A push: the given fields and `type: 'app'`. */
  push(message: Record<string, unknown>): void
  /** A server ping; the client answers with its uuid. */
  ping(uuid: number): void
  /** Any text, or any bytes, as they are. */
  sendRaw(data: string | ArrayBuffer): void
  /** Closes with a code, as a server does. */
  close(code?: number, reason?: string): void
  /** The line breaks: the client's platform reports it in its own way. */
  drop(): void
}

/** Answers an event; what it returns is the reply's `body`. Throw a string to refuse with it. */
export type FakeHandler = (data: any, connection: FakeConnection, frame: ClientFrame) => unknown

export class FakeServer {
  /** Refuse every dial. */
  refuseDials = false
  /** Leave every dial without an answer. */
  ignoreDials = false
  /** Wait this long before each reply. */
  replyDelayMs = 0
  /** Take everything and answer nothing. */
  silent = false
  /** Whether a login is accepted; by default every one with a `u` and a `token`. */
  acceptLogin: (data: any) => boolean = (data) => !!data && typeof data.u === 'string' && typeof data.token === 'string'
  /** Every connection ever accepted, oldest first. */
  readonly connections: FakeConnection[] = []

  private readonly handlers: { [event: string]: FakeHandler } = {}

  constructor(private readonly setTimer: (ms: number, run: () => void) => unknown) {}

  /** Answers `event` from now on. */
  on(event: string, handler: FakeHandler): this {
    this.handlers[event] = handler
    return this
  }

  /** The open connections. */
  get open(): FakeConnection[] {
    return this.connections.filter((connection) => connection.isOpen)
  }

  /** The newest connection. Fails the test when there is none. */
  get latest(): FakeConnection {
    const newest = this.connections[this.connections.length - 1]
    if (!newest) throw new Error('no client has connected yet')
    return newest
  }

  /** Frames received on any connection, oldest first within each; of one event if it is given. */
  received(event?: string): ClientFrame[] {
    const all: ClientFrame[] = []
    for (const connection of this.connections) all.push(...connection.received)
    return event === undefined ? all : all.filter((frame) => frame.event === event)
  }

  /** Sends a push to every open connection of `to`, such as `user:6`; to all logged-in ones without it. */
  push(message: Record<string, unknown>, to?: string): void {
    for (const connection of this.open) {
      if (to === undefined ? connection.user : connection.user === to) connection.push(message)
    }
  }

  /** Called by the fake socket: one text arrived. */
  accept(connection: FakeConnection, text: string): void {
    let frame: ClientFrame | undefined
    try {
      frame = JSON.parse(text)
    } catch (_) {
      // Falls through: garbage is kept apart.
    }
    if (!frame || typeof frame !== 'object') {
      connection.garbage.push(text)
      return
    }
    connection.received.push(frame)
    if (this.silent || frame.event === 'response') return
    const data = this.answer(connection, frame)
    const reply = () => {
      if (connection.isOpen) connection.sendRaw(JSON.stringify({ type: 'respon', event: frame!.uuid, data }))
    }
    if (this.replyDelayMs) this.setTimer(this.replyDelayMs, reply)
    else reply()
  }

  private answer(connection: FakeConnection, frame: ClientFrame): { error: number; body: unknown } {
    if (frame.event === 'login') {
      const accepted = this.acceptLogin(frame.data)
      connection.user = accepted ? frame.data.u : undefined
      return accepted ? { error: 0, body: '登录成功' } : { error: 1, body: '出现错误,登录失败' }
    }
    if (frame.event === 'ping') {
      return connection.user ? { error: 0, body: 'PING检查连接可用' } : { error: 1, body: 'PING检查连接不可用' }
    }
    const handler = this.handlers[frame.event]
    if (!handler) return { error: 1, body: 'unknown event' }
    try {
      return { error: 0, body: handler(frame.data, connection, frame) }
    } catch (reason) {
      return { error: 1, body: typeof reason === 'string' ? reason : String(reason) }
    }
  }
}
