/**
 * The client of an app: says to the core what the app and the platform say, does what the core decides. Synchronous
 * to make; every command waits until the core has been loaded.
 */
import type { Engine } from '../load/index'
import { isThenable, nothing } from '../socket/task'
import type { Host } from '../types'
import { AMOUNT, FUNCTION, must, mustBeAll, mustBeUrl, OBJECT, TEXT } from './check'
import { CLOSE, Fate, In, OPTIONS, Out, PhaseCode, UNSENT, WAITS } from './codes'
import { createExchange } from './exchange'
import { createLink } from './link'
import { claim, hint } from './hints'
import { createListeners } from './listeners'
import type { Hearer } from './listeners'
import { createMachine } from './machine'
import type { MachineOwner } from './machine'
import { createNewsroom } from './news'
import type { ClientOptions, ClientState, Credentials, HeartlineClient } from './options'
import { createRequests } from './requests'
import type { Streams } from './streams'

/** What `createClient` takes: the host may be found. */
export type MadeOptions = Pick<ClientOptions, Exclude<keyof ClientOptions, 'host'>> & { host?: Host }

/** A core that traps is replaced after this long, twice as long each time, and given up after so many times. */
const RESTART_MS = 1000
const MAX_RESTARTS = 6

/** `detect` finds the host, where none is given. */
export function createClient(options: MadeOptions, detect?: () => Host): HeartlineClient {
  mustBeAll(options, {
    credentials: FUNCTION,
    onListenerError: FUNCTION,
    durable: FUNCTION,
    recorder: OBJECT,
    reconnect: OBJECT,
    connectOptions: OBJECT,
    wasm: 'string, object or boolean',
  })
  const { durable, reconnect } = options
  const host = options.host || detect!()
  const bounds: Array<number | undefined> = reconnect ? [reconnect.minMs, reconnect.maxMs] : []
  const amounts = OPTIONS.map((name, key) => {
    const amount = bounds[key] === undefined ? options[name] : bounds[key]
    must(name, amount, AMOUNT, true)
    return amount
  })
  if (typeof options.url !== FUNCTION) mustBeUrl(options.url)
  must('host.connect', host.connect, FUNCTION)
  const newsroom = createNewsroom(options)
  const { listen, tell, report, guard, log } = newsroom
  const hearer: MachineOwner['hearer'] = (id) => listeners.find(id)
  const machine = createMachine(host, { act, hearer, deliver, ready, failed, fallback: (loader, error) => tell('fallback', { loader, error }) }, options.recorder)
  const { feed, hold } = machine
  const listeners = createListeners(machine)
  const requests = createRequests(machine)
  const exchange = createExchange(host, machine, () => streams)
  const { take } = exchange
  const link = createLink(host, machine, exchange.taker, log)
  const streams: Streams | undefined =
    durable ? durable(Object.assign({ host, machine, exchange, link, hearer, remove: listeners.remove, user: () => (login ? login.u : '') }, newsroom)) : undefined
  must('durable', streams, OBJECT, true)

  let phase: PhaseCode = PhaseCode.IDLE
  let state: ClientState = { phase: 'idle' }
  let engine: string | undefined
  let login: Credentials | undefined
  /** The provider's latest answer was that nobody is logged in: asking again is not logging in. */
  let nobody = false
  let started = false
  /** Destroyed, or given up. */
  let over = false
  let restarts = 0
  let backlog: Array<() => void> = []
  let unsubscribe: Array<() => void> = []
  /** What was said last of the user, the network and the app's being seen: a fresh core is told again. */
  const said = new Map<In, number>()
  let settle!: (error?: unknown) => void
  const loaded = new Promise<void>((resolve, reject) => {
    settle = (error) => (error === undefined ? resolve() : reject(error))
  })
  // Whoever does not ask is told by the event `fatal`.
  loaded.then(nothing, nothing)

  function url() {
    const given = options.url
    return typeof given === 'function' ? given() : given
  }

  function say(kind: In, is: boolean) {
    said.set(kind, +is)
    feed(kind, +is)
  }

  function load() {
    machine.load(options.wasm, (set) =>
      amounts.forEach((amount, key) => {
        if (typeof amount === 'number') set(key, amount)
      }),
    )
  }

  /** Runs a command now, or once the core is there. */
  function run(command: () => void) {
    // After the end the command runs as well: it finds no core, and settles what it promised.
    if (machine.runs() || over) command()
    else backlog.push(command)
  }

  function catchUp() {
    const commands = backlog
    backlog = []
    for (const command of commands) command()
  }

  function ready({ name }: Engine) {
    engine = name
    log(`core ${name}`)
    hold(() => {
      listeners.tellAll(report)
      if (streams) streams.ready()
      // A core that follows one that failed is told where we were; the first is told by the backlog.
      said.forEach((is, kind) => feed(kind, is))
      if (started) feed(In.START)
      catchUp()
    })
    settle()
  }

  /** The core trapped. Nothing stays silent or open: everything settles, the app is told, a fresh core takes over. */
  function failed(error: unknown) {
    const final = ++restarts > MAX_RESTARTS || !engine
    log(`core failed ${error}`)
    link.close(1000)
    exchange.reset()
    if (streams) streams.reset()
    requests.abandon('the core failed')
    if (final) over = true
    setState(
      PhaseCode.CLOSED,
      final ? { phase: 'closed', reason: 'failed' } : { phase: 'waiting', attempt: restarts, reason: 'backoff' },
    )
    tell('fatal', { error, final })
    if (final) {
      catchUp()
      settle(error)
    } else host.setTimer(RESTART_MS << (restarts - 1), () => over || load())
  }

  function setState(code: PhaseCode, now: ClientState) {
    phase = code
    state = now
    log(`state ${JSON.stringify(now)}`)
    tell('state', now)
  }

  function enter(code: PhaseCode, b: number, c: number) {
    if (nobody && code === PhaseCode.LOGGING_IN) code = PhaseCode.OPEN
    if (code === PhaseCode.OPEN && code === phase) return
    const name = PHASES[code]
    if (name === 'closed') return setState(code, { phase: name, reason: CLOSE[b], code: known(c) })
    if (name !== 'waiting') return setState(code, { phase: name })
    const retryInMs = known(c)
    const until = retryInMs === undefined ? retryInMs : Date.now() + retryInMs
    setState(code, { phase: name, attempt: b, retryInMs, until, reason: WAITS[code - PhaseCode.WAITING_BACKOFF] })
  }

  function within(least: PhaseCode) {
    return phase >= least && phase <= PhaseCode.READY
  }

  function send(epoch: number, id: number, event: string, json?: string) {
    log(`send ${event}`)
    exchange.send(link, epoch, id, event, json)
  }

  /** The provider may be late, refuse, throw, or give nonsense: the core is told in every case. */
  function askCredentials(id: number) {
    const { credentials } = options
    const answer = (found: Credentials | null | undefined) => {
      if (found) {
        must('credentials.u', found.u, TEXT)
        must('credentials.token', found.token, TEXT)
        login = found
      } else nobody = true
      feed(In.CREDENTIALS, id, +!!found)
    }
    const refused = (error: unknown) => {
      report(error)
      answer(null)
    }
    try {
      const found = credentials && credentials()
      if (isThenable(found)) found.then(answer).then(undefined, refused)
      else answer(found)
    } catch (error) {
      refused(error)
    }
  }

  function deliver(hearer: Hearer, message: unknown) {
    if (over) return
    const { fn } = hearer
    if (hearer.once) listeners.remove(hearer)
    guard(fn, message)
  }

  function act(kind: Out, a: number, b: number, c: number): void {
    switch (kind) {
      case Out.DELIVER: {
        const found = hearer(a)
        return found && deliver(found, exchange.payload(b))
      }
      case Out.RELEASE:
        return take(a)
      case Out.SETTLE:
        return requests.settle(a, b, c, b <= Fate.REFUSED ? take(c) : undefined)
      case Out.REQUEST:
        return requests.sending(b, (event, json) => send(a, b, event, json))
      case Out.PONG:
        return exchange.pong(link, a, b)
      case Out.PING:
        return send(a, b, 'ping')
      case Out.LOGIN:
        if (nobody) {
          nobody = false
          setState(PhaseCode.LOGGING_IN, { phase: 'loggingIn' })
        }
        return send(a, b, 'login', JSON.stringify({ u: login!.u, token: login!.token, $hl: streams && streams.extension() }))
      case Out.CREDENTIALS:
        return askCredentials(b)
      case Out.OPEN:
        log(`dial #${a}`)
        return link.open(a, url, options.connectOptions)
      case Out.CLOSE:
        return link.close(b, a)
      case Out.PHASE:
        return enter(a, b, c)
      case Out.LOGGED_IN:
        restarts = 0
        claim(machine, () => `${url()} as ${login!.u}`)
        return tell('login', { data: take(a), again: b !== 0 })
      case Out.LOGIN_REFUSED:
        return tell('loginRefused', take(a))
      case Out.DISCONNECTED:
        hint(machine, () => CLOSE[a] === 'dialFailed' && `cannot connect: ${link.why()}`)
        return tell('disconnect', { reason: CLOSE[a], code: known(b), errMsg: link.why() })
      case Out.OUTBOX_DROPPED:
        return tell('outboxDropped', { event: requests.eventOf(a), reason: UNSENT[b] })
      default:
        if (streams) streams.act(kind, a, b, c)
    }
  }

  load()

  return {
    loaded,
    get state() {
      return state
    },
    get engine() {
      return engine
    },
    get isConnected() {
      return within(PhaseCode.CONNECTING)
    },
    get isOpen() {
      return within(PhaseCode.OPEN)
    },
    get isLogin() {
      return within(PhaseCode.READY)
    },
    start() {
      if (host.check) host.check()
      run(() => {
        if (over) return
        if (!unsubscribe.length) {
          if (host.onNetwork) unsubscribe.push(host.onNetwork((online) => say(In.NETWORK, online)))
          if (host.onVisibility) unsubscribe.push(host.onVisibility((visible) => say(In.VISIBILITY, visible)))
        }
        if (!said.has(In.IDENTITY)) say(In.IDENTITY, true)
        started = true
        feed(In.START)
      })
    },
    stop: () =>
      run(() => {
        started = false
        feed(In.STOP)
      }),
    disconnect: () => run(() => feed(In.DISCONNECT)),
    destroy: () =>
      run(() => {
        started = false
        over = true
        for (const off of unsubscribe) off()
        unsubscribe = []
        claim(machine)
        feed(In.DESTROY)
        // The core's last words are acted on before it goes, also when a callback ended its own client.
        machine.whenIdle(() => {
          link.close(1000)
          requests.abandon('destroyed')
          machine.unload()
          listeners.off()
        })
      }),
    identity(present) {
      must('present', present, 'boolean')
      run(() => {
        nobody = false
        say(In.IDENTITY, present)
      })
    },
    request: (event, data, how = {}) => requests.add(run, event, data, how) as Promise<any>,
    on: (pattern, fn, how) => listeners.add(pattern, fn, !!how && !!how.replace, false),
    once: (pattern, fn) => listeners.add(pattern, fn, false, true),
    off: listeners.off,
    listen,
    diagnostics: () => ({
      state,
      engine,
      requests: requests.count(),
      listeners: listeners.count(),
      payloads: exchange.count(),
    }),
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

/** The boundary says "none" as -1. */
function known(number: number): number | undefined {
  return number < 0 ? undefined : number
}
