/**
 * Drives one instance of the core: feeds it, queues what it emits, acts on it once the call has returned, keeps its
 * timer, and throws it away when it traps.
 */
import { setTimer } from '../host/clock'
import { loadEngine, type Engine, type Source } from '../load/index'
import type { Host } from '../types'
import { In, NONE } from './codes'

/** What the machine tells its client. */
export interface MachineOwner {
  /** One output. Runs outside the core, so it may feed the core again. */
  act(kind: number, a: number, b: number, c: number): void
  /** A fresh core stands ready to be told everything from the beginning. */
  ready(engine: Engine): void
  /** The core trapped, or could not be loaded. */
  failed(error: unknown): void
  fallback(loader: string, error: unknown): void
}

/** Numbers per output in the queue. */
const STRIDE = 4

export class Machine {
  engine: Engine | undefined
  /** The number of our client within its module. */
  id = 0
  private queue: number[] = []
  private busy = false
  private due = NONE
  private armedFor = NONE
  private cancelTimer: (() => void) | undefined
  private later: (() => void) | undefined

  constructor(
    private readonly host: Host,
    private readonly owner: MachineOwner,
  ) {}

  /** Loads a core and makes a client in it. Never rejects: a failure is told to the owner. */
  load(source: Source, options: (set: (key: number, value: number) => void) => void): Promise<void> {
    const queue: number[] = []
    const emit = (_: number, kind: number, a: number, b: number, c: number) => void queue.push(kind, a, b, c)
    const { owner } = this
    return loadEngine(source, emit, this.host, (loader, error) => owner.fallback(loader, error)).then(
      (engine) => {
        this.queue = queue
        this.engine = engine
        const made = this.call((core) => {
          options(core.option)
          return core.create(Math.floor(Math.random() * 9007199254740992), this.host.now())
        })
        if (made === undefined) return
        this.id = made
        owner.ready(engine)
      },
      (error) => owner.failed(error),
    )
  }

  /** Feeds one input and acts on what comes of it. Does nothing while there is no core. */
  feed(kind: In, a = 0, b = 0, c = 0, d = 0): void {
    const { engine } = this
    if (!engine) return
    // Not through `call`: this is the path of every message.
    try {
      this.follow(engine.core.feed(this.id, kind, this.host.now(), a, b, c, d))
    } catch (error) {
      this.fail(error)
    }
    this.drain()
  }

  /** Any other call of the core; undefined when it trapped. */
  call<T>(work: (core: Engine['core'], id: number, now: number) => T): T | undefined {
    try {
      return this.engine && work(this.engine.core, this.id, this.host.now())
    } catch (error) {
      this.fail(error)
      return undefined
    }
  }

  /** What `feed` and its kin answered: a deadline, or a negative code of misuse, which changes nothing. */
  follow(answer: number): void {
    if (answer >= NONE) this.due = answer
  }

  /** Does `work` first and acts on the outputs afterwards. */
  hold(work: () => void): void {
    const outermost = !this.busy
    this.busy = true
    try {
      work()
    } finally {
      if (outermost) {
        this.busy = false
        this.drain()
      }
    }
  }

  /** Runs `work` once every output so far was acted on: at once, unless we are amid acting. */
  whenIdle(work: () => void): void {
    if (this.busy) this.later = work
    else work()
  }

  /** Forgets the core; whatever its sleeping callbacks do later reaches nobody. */
  unload(): void {
    const { engine, id } = this
    this.engine = undefined
    this.due = NONE
    this.queue = []
    this.disarm()
    if (!engine) return
    try {
      engine.core.discard(id)
    } catch (_) {
      // It trapped before, and is gone anyway.
    }
  }

  private fail(error: unknown): void {
    this.unload()
    this.owner.failed(error)
  }

  /** Outputs that come of acting on outputs are acted on in turn, by the same loop. */
  private drain(): void {
    if (this.busy) return
    this.busy = true
    try {
      let { queue } = this
      for (let at = 0; at < queue.length; at += STRIDE) {
        this.owner.act(queue[at], queue[at + 1], queue[at + 2], queue[at + 3])
        // The core failed meanwhile: what it had decided is void.
        if (queue !== this.queue) {
          queue = this.queue
          at = -STRIDE
        }
      }
      queue.length = 0
    } finally {
      this.busy = false
    }
    const { later } = this
    this.later = undefined
    if (later) later()
    this.arm()
  }

  /** One timer. A later deadline leaves it alone: ringing early costs less than setting it at each message. */
  private arm(): void {
    const { due, armedFor, host, engine } = this
    if (due === armedFor || !engine || (due !== NONE && armedFor !== NONE && armedFor < due)) return
    this.disarm()
    if (due === NONE) return
    this.armedFor = due
    const ms = Math.max(0, Math.ceil(due - host.now()))
    const ring = () => {
      this.armedFor = NONE
      this.feed(In.TIMEOUT)
    }
    if (host.setTimer !== setTimer) this.cancelTimer = host.setTimer(ms, ring)
    else this.sleep(engine, ms, ring)
  }

  /** The platform's own timer is the plain one: the core sleeps by itself. */
  private sleep(engine: Engine, ms: number, ring: () => void): void {
    let wanted = true
    this.cancelTimer = () => (wanted = false)
    const alarm = this.call(() => engine.core.alarm(this.id, ms))
    if (alarm) alarm.then((rang) => void (rang && wanted && ring()))
  }

  private disarm(): void {
    this.armedFor = NONE
    if (this.cancelTimer) this.cancelTimer()
    this.cancelTimer = undefined
  }
}
