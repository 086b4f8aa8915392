/**
 * The client of an app: says to the core what the app and the platform say, does what the core decides. Synchronous
 * to make; every command waits until the core has been loaded.
 */
import type { Engine } from '../load/index'
import { CLOSE, Fate, In, NONE, OPTIONS, Out, PhaseCode, UNSENT } from './codes'
import { Link } from './link'
import { Listeners } from './listeners'
import { Machine } from './machine'
import type { ClientOptions, ClientState, Credentials, Listener, News, RequestOptions } from './options'
import { uuidPrefix } from './prefix'
import { Requests } from './requests'
import { PayloadTable } from './table'
import { advice, decode, encode, encodePong } from './wire'

/** A core that traps is replaced after this long, twice as long each time, and given up after so many times. */
const RESTART_MS = 1000
const MAX_RESTARTS = 6

type Callbacks = { [K in keyof News]?: Array<(news: News[K]) => void> }

export class HeartlineClient {
  /** Resolves when the core is there; rejects when not even the JavaScript build could be loaded. */
  readonly loaded: Promise<void>
  state: ClientState = { phase: 'idle' }
  /** What runs the core: 'wx', 'tt', 'my', 'wasm' or 'js'; undefined while it loads. */
  engine: string | undefined

  private readonly machine: Machine
  private readonly link: Link
  private readonly listeners: Listeners
  private readonly requests: Requests
  private payloads = new PayloadTable()
  private names = new Map<string, number>()
  private callbacks: Callbacks = {}
  private prefix: string
  private login: Credentials | undefined
  private backlog: Array<() => void> = []
  private present: boolean | undefined
  private online = true
  private visible = true
  private started = false
  private destroyed = false
  private dead = false
  private restarts = 0
  private unsubscribe: Array<() => void> = []
  private settleLoaded!: (error?: unknown) => void

  constructor(private readonly options: ClientOptions) {
    const { host } = options
    this.prefix = uuidPrefix(host)
    this.machine = new Machine(host, {
      act: (kind, a, b, c) => this.act(kind, a, b, c),
      ready: (engine) => this.ready(engine),
      failed: (error) => this.failed(error),
      fallback: (loader, error) => this.tell('fallback', { loader, error }),
    })
    this.link = new Link(
      host,
      {
        opened: (epoch) => this.machine.feed(In.OPENED, epoch),
        text: (epoch, text) => this.receive(epoch, text),
        garbage: (epoch) => this.machine.feed(In.OTHER, epoch),
        failed: (epoch, detail) => (this.log('socket error', detail), this.machine.feed(In.FAILED, epoch)),
        closed: (epoch, code, reason) =>
          this.machine.feed(In.CLOSED, epoch, code === undefined ? NONE : code, advice(reason)),
        offline: (epoch) => this.offline(epoch),
      },
      (work) => this.machine.hold(work),
    )
    this.listeners = new Listeners(this.machine)
    this.requests = new Requests(this.machine)
    this.loaded = new Promise((resolve, reject) => {
      this.settleLoaded = (error) => (error === undefined ? resolve() : reject(error))
    })
    // Whoever does not ask is told by the event `fatal`.
    this.loaded.then(undefined, () => {})
    this.load()
  }

  /** Keeps a line from now on. Somebody is taken to be logged in unless `identity(false)` was said. */
  start(): void {
    this.run(() => {
      this.subscribe()
      if (this.present === undefined) this.sayIdentity(true)
      this.started = true
      this.machine.feed(In.START)
    })
  }

  /** Closes the line and stays closed until `start`. Every request settles. */
  stop(): void {
    this.run(() => {
      this.started = false
      this.machine.feed(In.STOP)
    })
  }

  /** Drops the present socket; the line revives after its delay. */
  disconnect(): void {
    this.run(() => this.machine.feed(In.DISCONNECT))
  }

  /** Closes for ever. */
  destroy(): void {
    this.run(() => {
      this.started = false
      this.destroyed = true
      for (const off of this.unsubscribe) off()
      this.unsubscribe = []
      this.machine.feed(In.DESTROY)
      // The core's last words are acted on before it goes, also when a callback ended its own client.
      this.machine.whenIdle(() => {
        this.link.close(1000)
        this.requests.abandon('destroyed')
        this.machine.unload()
        this.listeners.off(undefined, undefined)
      })
    })
  }

  /** The app's user logged in, or another one did (true); or logged out (false). */
  identity(present: boolean): void {
    this.run(() => this.sayIdentity(present))
  }

  /** Resolves with the reply's data, or rejects with a HeartlineError. */
  request(event: string, data?: unknown, options: RequestOptions = {}): Promise<unknown> {
    return this.requests.add((command) => this.run(command), event, data, options)
  }

  /** `pattern`: a name, a prefix ending in `*`, or `*`. Answers its own unsubscribe. */
  on(pattern: string, fn: Listener, options: { replace?: boolean } = {}): () => void {
    return this.listeners.add(pattern, fn, !!options.replace, false)
  }

  once(pattern: string, fn: Listener): () => void {
    return this.listeners.add(pattern, fn, false, true)
  }

  off(pattern?: string, fn?: Listener): void {
    this.listeners.off(pattern, fn)
  }

  /** News of the line itself. Answers its own unsubscribe. */
  listen<K extends keyof News>(kind: K, fn: (news: News[K]) => void): () => void {
    const all = (this.callbacks[kind] || (this.callbacks[kind] = [] as any)) as Array<(news: News[K]) => void>
    all.push(fn)
    return () => {
      const at = all.indexOf(fn)
      if (at >= 0) all.splice(at, 1)
    }
  }

  /** A socket is being dialled or is open. */
  get isConnected(): boolean {
    return this.state.phase === 'connecting' || this.isOpen
  }

  get isOpen(): boolean {
    return this.state.phase === 'open' || this.state.phase === 'loggingIn' || this.isLogin
  }

  get isLogin(): boolean {
    return this.state.phase === 'ready'
  }

  /** Where the client stands, as a line of JSON for a bug report. No secrets. */
  diagnostics(): string {
    return this.machine.call((core, id, now) => core.diagnostics(id, now)) || JSON.stringify(this.state)
  }

  private load(): void {
    const { options } = this
    const { reconnect } = options
    this.machine.load(options.wasm, (set) => {
      OPTIONS.forEach((name, key) => {
        const given =
          name === 'reconnectMinMs' ? reconnect && reconnect.minMs : name === 'reconnectMaxMs' && reconnect && reconnect.maxMs
        const value = given || options[name]
        if (typeof value === 'number' && value >= 0) set(key, value)
      })
    })
  }

  private ready(engine: Engine): void {
    this.engine = engine.name
    this.log('core', engine.name)
    this.machine.hold(() => {
      this.listeners.tellAll((error) => this.report(error))
      // A core that follows one that failed is told where we were; the first is told by the backlog.
      if (this.present !== undefined) this.machine.feed(In.IDENTITY, +this.present)
      if (!this.online) this.machine.feed(In.NETWORK, 0)
      if (!this.visible) this.machine.feed(In.VISIBILITY, 0)
      if (this.started) this.machine.feed(In.START)
      const { backlog } = this
      this.backlog = []
      for (const command of backlog) command()
    })
    this.settleLoaded()
  }

  /** Runs a command now, or once the core is there. */
  private run(command: () => void): void {
    // After the end the command runs as well: it finds no core, and settles what it promised.
    if (this.machine.engine || this.destroyed || this.dead) command()
    else this.backlog.push(command)
  }

  /** The core trapped. Nothing stays silent or open: everything settles, the app is told, a fresh core takes over. */
  private failed(error: unknown): void {
    const final = ++this.restarts > MAX_RESTARTS || !this.engine
    this.log('core failed', String(error))
    this.link.close(1000)
    this.payloads = new PayloadTable()
    this.names.clear()
    this.prefix = uuidPrefix(this.options.host)
    this.requests.abandon('the core failed')
    this.dead = final
    this.setState(final ? { phase: 'closed', reason: 'failed' } : { phase: 'waiting', attempt: this.restarts, reason: 'backoff' })
    this.tell('fatal', { error, final })
    if (!final) {
      this.options.host.setTimer(RESTART_MS * 2 ** (this.restarts - 1), () => {
        if (!this.destroyed) this.load()
      })
      return
    }
    const { backlog } = this
    this.backlog = []
    for (const command of backlog) command()
    this.settleLoaded(error)
  }

  private sayIdentity(present: boolean): void {
    this.present = present
    this.machine.feed(In.IDENTITY, +present)
  }

  private subscribe(): void {
    const { host } = this.options
    if (this.unsubscribe.length || this.destroyed) return
    const network = (online: boolean) => {
      this.online = online
      this.machine.feed(In.NETWORK, +online)
    }
    const visibility = (visible: boolean) => {
      this.visible = visible
      this.machine.feed(In.VISIBILITY, +visible)
    }
    if (host.onNetwork) this.unsubscribe.push(host.onNetwork(network))
    if (host.onVisibility) this.unsubscribe.push(host.onVisibility(visibility))
  }

  /** Waiting for the network is only safe where its return will be told; else each attempt asks again. */
  private offline(epoch: number): void {
    if (this.options.host.onNetwork) this.machine.feed(In.NETWORK, 0)
    else this.machine.feed(In.FAILED, epoch)
  }

  private receive(epoch: number, text: string): void {
    const frame = decode(text)
    const { machine, payloads } = this
    if (frame.kind === 'push') {
      const event = this.nameOf(frame.event)
      const body = payloads.add(frame.body)
      if (event >= 0) return machine.feed(In.PUSH, epoch, event, body)
      machine.hold(() => {
        const due = machine.call((core, id, now) => core.named_push(id, now, epoch, body, frame.event))
        if (due !== undefined) machine.follow(due)
      })
    } else if (frame.kind === 'reply') {
      const id = this.idOf(frame.uuid)
      if (id) machine.feed(In.REPLY, epoch, id, +frame.ok, payloads.add(frame.body))
      else machine.feed(In.OTHER, epoch)
    } else if (frame.kind === 'ping') machine.feed(In.PING, epoch, payloads.add(frame.raw))
    else machine.feed(In.OTHER, epoch)
  }

  /** The core's number of an event name; -1 when its table is full. */
  private nameOf(event: string): number {
    let name = this.names.get(event)
    if (name === undefined) {
      name = this.machine.call((core, id) => core.intern(id, event))
      if (name === undefined || name < 0) return NONE
      this.names.set(event, name)
    }
    return name
  }

  /** The number in a uuid of ours; 0 for any other. */
  private idOf(uuid: unknown): number {
    if (typeof uuid !== 'string' || uuid.lastIndexOf(this.prefix, 0) !== 0) return 0
    const digits = uuid.slice(this.prefix.length)
    return /^[1-9]\d{0,9}$/.test(digits) ? Number(digits) : 0
  }

  private act(kind: number, a: number, b: number, c: number): void {
    const { payloads } = this
    switch (kind) {
      case Out.DELIVER: {
        const fn = this.listeners.take(a)
        // Not by `guard`: this is the path of every message.
        try {
          if (fn && !this.destroyed) fn(payloads.get(b))
        } catch (error) {
          this.report(error)
        }
        return
      }
      case Out.RELEASE:
        return void payloads.take(a)
      case Out.SETTLE:
        return this.requests.settle(a, b, c, b <= Fate.REFUSED ? payloads.take(c) : undefined)
      case Out.REQUEST: {
        const request = this.requests.sending(b)
        return request && this.send(a, b, request.event, request.data)
      }
      case Out.PONG:
        return this.link.send(a, encodePong(payloads.take(b)), () => {})
      case Out.PING:
        return this.send(a, b, 'ping', undefined)
      case Out.LOGIN: {
        const { u, token } = this.login || { u: '', token: '' }
        return this.send(a, b, 'login', JSON.stringify({ u, token }))
      }
      case Out.CREDENTIALS:
        return this.askCredentials(b)
      case Out.OPEN:
        this.log('dial', `#${a}`)
        return this.link.open(a, () => this.url(), this.options.connectOptions || {})
      case Out.CLOSE:
        if (a === this.link.epoch) this.link.close(b)
        return
      case Out.PHASE:
        return this.phase(a, b, c)
      case Out.LOGGED_IN:
        this.restarts = 0
        return this.tell('login', { data: payloads.take(a), again: b !== 0 })
      case Out.LOGIN_REFUSED:
        return this.tell('loginRefused', payloads.take(a))
      case Out.DISCONNECTED:
        return this.tell('disconnect', { reason: CLOSE[a], code: known(b) })
      case Out.OUTBOX_DROPPED:
        return this.tell('outboxDropped', { event: this.requests.eventOf(a), reason: UNSENT[b] })
    }
  }

  private url(): string {
    const { url } = this.options
    return typeof url === 'function' ? url() : url
  }

  private send(epoch: number, id: number, event: string, data: string | undefined): void {
    this.log('send', event)
    this.link.send(epoch, encode(event, data, this.prefix + id), (fate) => {
      if (fate !== 'accepted') this.machine.feed(In.SEND_FAILED, epoch, id, +(fate === 'unknown'))
    })
  }

  /** The provider may be late, refuse, or throw: the core is told in every case. */
  private askCredentials(id: number): void {
    const { credentials } = this.options
    const { machine } = this
    const answer = (found: Credentials | null | undefined) => {
      const ready = !!found && typeof found.u === 'string' && typeof found.token === 'string'
      if (ready) this.login = found as Credentials
      if (this.machine === machine) machine.feed(In.CREDENTIALS, id, +ready)
    }
    const failed = (error: unknown) => {
      this.report(error)
      answer(undefined)
    }
    try {
      const found = credentials && credentials()
      if (found && typeof (found as Promise<Credentials>).then === 'function') (found as Promise<Credentials>).then(answer, failed)
      else answer(found as Credentials)
    } catch (error) {
      failed(error)
    }
  }

  private phase(code: number, b: number, c: number): void {
    const phase = PHASES[code]
    if (phase === 'waiting') {
      const reason = code === PhaseCode.WAITING_ADVISED ? 'advised' : code === PhaseCode.WAITING_NETWORK ? 'network' : 'backoff'
      const retryInMs = known(c)
      const until = retryInMs === undefined ? undefined : Date.now() + retryInMs
      this.setState({ phase, attempt: b, retryInMs, until, reason })
    } else if (phase === 'closed') this.setState({ phase, reason: CLOSE[b], code: known(c) })
    else this.setState({ phase })
  }

  private setState(state: ClientState): void {
    this.state = state
    this.log('state', JSON.stringify(state))
    this.tell('state', state)
  }

  private tell<K extends keyof News>(kind: K, news: News[K]): void {
    const all = this.callbacks[kind] as Array<(news: News[K]) => void> | undefined
    // A copy: a callback may unsubscribe itself.
    if (all) for (const fn of all.slice()) this.guard(() => fn(news))
  }

  /** An app's callback: what it throws harms nobody. */
  private guard(work: () => unknown): void {
    try {
      work()
    } catch (error) {
      this.report(error)
    }
  }

  private report(error: unknown): void {
    const { onListenerError } = this.options
    try {
      if (onListenerError) onListenerError(error)
      else if (typeof console !== 'undefined') console.error('heartline:', error)
    } catch (_) {
      // The reporter itself threw: there is nobody left to tell.
    }
  }

  private log(what: string, detail: string): void {
    const { debug } = this.options
    if (!debug) return
    const line = `heartline: ${what} ${detail}`
    if (typeof debug === 'function') this.guard(() => debug(line))
    else if (typeof console !== 'undefined') console.log(line)
  }
}

const PHASES: Array<ClientState['phase']> = [
  'idle',
  'connecting',
  'open',
  'loggingIn',
  'ready',
  'waiting',
  'waiting',
  'waiting',
  'parked',
  'closed',
]

/** The boundary says "none" as the largest number of 32 bits. */
function known(number: number): number | undefined {
  return number === 0xffffffff || number < 0 ? undefined : number
}
