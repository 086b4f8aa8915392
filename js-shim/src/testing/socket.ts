/** One socket of the fake platform: both its ends, and the bad line between them. */
import type { FakeClock } from './clock'
import type { Traits } from './profile'
import type { ClientFrame, FakeConnection, FakeServer } from './server'

type Name = 'open' | 'message' | 'error' | 'close'
type Listener = (event: any) => void

/** What all sockets of one fake platform share. */
export interface Line {
  clock: FakeClock
  traits: Traits
  server: FakeServer
  latencyMs: number
  /** Frames vanish in both directions, and nobody is told. */
  cut: boolean
  /** There is no network: dials fail. */
  offline: boolean
  /** So many next sends report success and are lost. */
  loseSends: number
  /** A socket's event, on its way to whoever has registered for it. */
  emit(socket: FakeSocket, name: Name, event: any): void
}

export class FakeSocket {
  phase: 'connecting' | 'open' | 'closed' = 'connecting'
  readonly listeners: { [N in Name]: Listener[] } = { open: [], message: [], error: [], close: [] }
  /** Nothing passes any more, and neither end knows. */
  dead = false
  /** How often the client called close. */
  closeCalls = 0
  readonly task: Record<string, unknown>

  private connection: (FakeConnection & { isOpen: boolean }) | undefined

  constructor(
    private readonly line: Line,
    readonly id: number,
    readonly url: string,
  ) {
    const on = (name: Name) => (listener: Listener) => void this.listeners[name].push(listener)
    const readyState = () => this.readyState()
    this.task = {
      CONNECTING: 0,
      OPEN: 1,
      CLOSING: 2,
      CLOSED: 3,
      get readyState() {
        return readyState()
      },
      onOpen: on('open'),
      onMessage: on('message'),
      onError: on('error'),
      onClose: on('close'),
      send: (options: any) => this.send(options || {}),
      close: (options: any) => this.close(options || {}),
    }
  }

  /** Alive: counts towards the platform's limit. */
  get isAlive(): boolean {
    return this.phase !== 'closed'
  }

  /** The dial reaches the server, or does not. */
  arrive(): void {
    const { server, cut, offline } = this.line
    if (this.phase !== 'connecting' || server.ignoreDials || (cut && !offline)) return
    if (server.refuseDials || offline) return this.fail('connection refused')
    this.phase = 'open'
    this.connection = this.serve(server.connections.length + 1)
    server.connections.push(this.connection)
    this.tell('open', { header: {} })
  }

  /** The dial failed or the line broke, reported as this platform reports it. */
  fail(detail: string): void {
    if (this.phase === 'closed') return
    const { failure } = this.line.traits
    this.end()
    if (failure !== 'close-only') this.tell('error', { errMsg: detail })
    if (failure !== 'error-only') this.later(1, () => this.tell('close', { code: 1006, reason: 'abnormal closure' }))
  }

  /** The platform or the server closed it. */
  closed(code: number, reason: string): void {
    if (this.phase === 'closed') return
    this.end()
    this.tell('close', { code, reason })
  }

  private readyState(): number {
    const real = this.phase === 'connecting' ? 0 : this.phase === 'open' ? 1 : 3
    const { readyState } = this.line.traits
    if (readyState === 'always-open') return 1
    return readyState === 'closed-while-connecting' && real === 0 ? 3 : real
  }

  private send(options: { data?: any; success?: Listener; fail?: Listener; complete?: Listener }): void {
    const { traits } = this.line
    const report = (ok: boolean) => {
      const event = { errMsg: ok ? 'sendSocketMessage:ok' : 'sendSocketMessage:fail not open' }
      this.callback(ok ? options.success : options.fail, event)
      this.callback(options.complete, event)
    }
    if (this.phase !== 'open') {
      report(false)
      if (traits.sendWhenNotOpen === 'fail-twice') report(false)
      if (traits.sendWhenNotOpen === 'fail-then-send') this.transmit(options.data)
      return
    }
    report(true)
    this.transmit(options.data)
  }

  private transmit(data: any): void {
    if (this.line.loseSends > 0) {
      this.line.loseSends--
      return
    }
    const text = typeof data === 'string' ? data : String(data)
    this.later(this.line.latencyMs, () => {
      const { connection } = this
      if (connection && connection.isOpen && !this.dead && !this.line.cut) this.line.server.accept(connection, text)
    })
  }

  private close(options: { code?: number; reason?: string; success?: Listener; complete?: Listener }): void {
    this.closeCalls++
    this.callback(options.success, { errMsg: 'closeSocket:ok' })
    this.callback(options.complete, { errMsg: 'closeSocket:ok' })
    const { closeBeforeOpenIgnored, lateCloseMs } = this.line.traits
    if (this.phase === 'closed' || (this.phase === 'connecting' && closeBeforeOpenIgnored)) return
    this.end()
    const event = { code: options.code || 1000, reason: options.reason || '' }
    if (lateCloseMs < Infinity) this.later(lateCloseMs, () => this.tell('close', event))
  }

  private end(): void {
    this.phase = 'closed'
    if (this.connection) this.connection.isOpen = false
  }

  private serve(id: number): FakeConnection & { isOpen: boolean } {
    const received: ClientFrame[] = []
    const later = (run: () => void) => this.later(this.line.latencyMs, run)
    const connection: FakeConnection & { isOpen: boolean } = {
      id,
      url: this.url,
      user: undefined,
      received,
      garbage: [],
      isOpen: true,
      push: (message) => connection.sendRaw(JSON.stringify(Object.assign({ type: 'app' }, message))),
      ping: (uuid) => connection.sendRaw(JSON.stringify({ type: 'ping', uuid })),
      sendRaw: (data) =>
        later(() => {
          if (this.phase === 'open' && !this.dead && !this.line.cut) this.tell('message', this.shape(data))
        }),
      close: (code = 1000, reason = '') => later(() => this.dead || this.line.cut || this.closed(code, reason)),
      drop: () => this.fail('connection reset'),
    }
    return connection
  }

  private shape(data: string | ArrayBuffer): any {
    const { binary } = this.line.traits
    if (typeof data === 'string') return binary === 'base64' ? { data: { data, isBuffer: false } } : { data }
    if (binary === 'arraybuffer') return { data }
    const base64 = encodeBase64(data)
    return { data: binary === 'base64' ? { data: base64, isBuffer: true } : { '@type': 'binary', base64 } }
  }

  private tell(name: Name, event: any): void {
    this.line.emit(this, name, event)
    if (this.line.traits.doubleEvents) this.line.emit(this, name, event)
  }

  private callback(callback: Listener | undefined, event: any): void {
    if (!callback) return
    if (this.line.traits.syncCallbacks) callback(event)
    else this.later(0, () => callback(event))
  }

  private later(ms: number, run: () => void): void {
    this.line.clock.setTimer(ms, run)
  }
}

function encodeBase64(buffer: ArrayBuffer): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const bytes = new Uint8Array(buffer)
  let text = ''
  for (let i = 0; i < bytes.length; i += 3) {
    const group = (bytes[i] << 16) | ((bytes[i + 1] || 0) << 8) | (bytes[i + 2] || 0)
    for (let shift = 18, j = 0; shift >= 0; shift -= 6, j++) {
      text += i + j > bytes.length ? '=' : alphabet.charAt((group >> shift) & 63)
    }
  }
  return text
}
