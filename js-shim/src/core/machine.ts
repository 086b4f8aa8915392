/**
 * Drives one instance of the core: feeds it, queues what it emits, acts on it once the call has returned, keeps its
 * timer, and throws it away when it traps.
 */
import { loadEngine } from '../load/index'
import type { Engine, Source } from '../load/index'
import { nothing } from '../socket/task'
import type { Host } from '../types'
import { In, NONE } from './codes'
import type { Hearer } from './listeners'
import type { Recorder } from './recorder'

/** What the machine tells its client. */
export interface MachineOwner {
  /** One output. Runs outside the core, so it may feed the core again. */
  act(kind: number, a: number, b: number, c: number): void
  /** Whom the core means by this listener; undefined when it was removed since the core decided. */
  hearer(listener: number): Hearer | undefined
  /** Calls one listener with a push. Must not throw. */
  deliver(hearer: Hearer, message: unknown): void
  /** A fresh core stands ready to be told everything from the beginning. */
  ready(engine: Engine): void
  /** The core trapped, or could not be loaded. */
  failed(error: unknown): void
  fallback(loader: string, error: unknown): void
}

/** Where the pushes of one event go. */
export interface Route {
  /** The core's number of the event. */
  readonly event: number
  /** What the core answered last: whom to call; undefined when it is not that simple. */
  hearers: Hearer[] | undefined
  /** What the core had been told by then. */
  told: number
}

export interface Machine {
  /** There is a core to talk to. */
  runs(): boolean
  /** Loads a core and makes a client in it. A failure is told to the owner. */
  load(source: Source, options: (set: (key: number, value: number) => void) => void): void
  /** Feeds one input and acts on what comes of it. Does nothing while there is no core. */
  feed(kind: In, a?: number, b?: number, c?: number, d?: number): void
  /**
   * The quick way of a push: no time is asked, nothing is queued, the message stays here. False when it was not taken,
   * because something must come before it: feed it then.
   */
  push(epoch: number, route: Route, message: unknown): boolean
  /** Any other call of the core; undefined when there is none, or it trapped. */
  query<T>(work: (core: Engine['core'], id: number, now: number) => T): T | undefined
  /** Feeds by another call of the core than `feed`, which answers alike. */
  feedBy(work: (core: Engine['core'], id: number, now: number) => number): void
  /** The outputs of one call, which are not acted on: `STRIDE` numbers each, a kind and its arguments. */
  outputs(work: (core: Engine['core'], id: number, now: number) => void): number[]
  /** Does `work` first and acts on the outputs afterwards. */
  hold(work: () => void): void
  /** Runs `work` once every output so far was acted on: at once, unless we are amid acting. */
  whenIdle(work: () => void): void
  /** Forgets the core. */
  unload(): void
}

/** How many seeds there are; the boundary cuts off the fraction. */
const SEEDS = 0x100000000

/** Numbers per output in the queue. */
export const STRIDE = 4

/** A timer that was set longer ago than this is set anew: it may have stood still while the clock ran on. */
const TRUSTED_MS = 1000

export function createMachine(host: Host, owner: MachineOwner, recorder?: Recorder): Machine {
  let engine: Engine | undefined
  /** The number of our client within its module. */
  let id = 0
  let queue: number[] = []
  /** How often the core was told anything but pushes: it cannot have changed its mind in between. */
  let told = 0
  let busy = false
  /** Something was fed while we were busy: there may be outputs, and another deadline. */
  let stirred = false
  /** When the core wants to be woken, and when it will be. */
  let due = Infinity
  let armedFor = Infinity
  let armedAt = 0
  /** How much longer the timers say than the clock, which was set back meanwhile: they never ring early. */
  let ahead = 0
  let disarm = nothing
  let later = nothing

  const present = () => host.now() + ahead

  const load: Machine['load'] = (source, options) => {
    const outputs: number[] = []
    const emit = (_: number, kind: number, a: number, b: number, c: number) => {
      outputs.push(kind, a, b, c)
      if (recorder) recorder.emitted(kind, a, b, c)
    }
    loadEngine(source, emit, host, owner.fallback).then((loaded) => {
      queue = outputs
      engine = recorder ? recorder.wrap(loaded) : loaded
      const made = query((core) => {
        id = core.create(Math.random() * SEEDS, present())
        options((key, value) => core.option(id, key, value))
        return true
      })
      if (!made) return
      owner.ready(loaded)
    }, owner.failed)
  }

  const feed: Machine['feed'] = (kind, a = 0, b = 0, c = 0, d = 0) => {
    if (!engine) return
    told++
    // Not through `query`: this is the path of every message.
    try {
      const now = present()
      follow(now, engine.core.feed(id, kind, now, a, b, c, d))
    } catch (error) {
      fail(error)
    }
    drain()
  }

  const ask = (epoch: number, route: Route) => {
    const taken = engine!.core.push(id, epoch, route.event) >= 0
    // Nothing else waits in the queue while we are not busy.
    const hearers: Hearer[] = []
    for (let at = 0; at < queue.length; at += STRIDE) {
      const hearer = owner.hearer(queue[at + 1])
      if (hearer) hearers.push(hearer)
    }
    queue.length = 0
    route.hearers = taken ? hearers : undefined
    route.told = told
  }

  const push: Machine['push'] = (epoch, route, message) => {
    // Amid acting, what the core decided before comes first.
    if (busy || !engine) return false
    // Asked twice in a row, the core answers the same and changes nothing: then it need not be asked.
    if (route.told !== told) {
      try {
        ask(epoch, route)
      } catch (error) {
        fail(error)
        return true
      }
    }
    const { hearers } = route
    if (!hearers) return false
    busy = true
    for (let at = 0; at < hearers.length; at++) owner.deliver(hearers[at], message)
    busy = false
    if (stirred) drain()
    return true
  }

  const query: Machine['query'] = (work) => {
    told++
    try {
      return engine && work(engine.core, id, present())
    } catch (error) {
      fail(error)
      return undefined
    }
  }

  const follow = (now: number, answer: number) => {
    if (answer >= NONE) due = answer === NONE ? Infinity : now + answer
  }

  const feedBy: Machine['feedBy'] = (work) => {
    query((core, id, now) => follow(now, work(core, id, now)))
    drain()
  }

  const outputs: Machine['outputs'] = (work) => {
    const from = queue.length
    query(work)
    return queue.splice(from)
  }

  const hold: Machine['hold'] = (work) => {
    if (busy) return work()
    busy = true
    try {
      work()
    } finally {
      busy = false
      drain()
    }
  }

  const unload = () => {
    told++
    const former = engine
    engine = undefined
    due = armedFor = Infinity
    queue = []
    disarm()
    try {
      if (former) former.core.discard(id)
    } catch (_) {
      // It trapped before, and is gone anyway.
    }
  }

  const fail = (error: unknown) => {
    unload()
    owner.failed(error)
  }

  /** Outputs that come of acting on outputs are acted on in turn, by the same loop. */
  const drain = () => {
    if (busy) {
      stirred = true
      return
    }
    busy = true
    stirred = false
    try {
      let from = queue
      for (let at = 0; at < from.length; at += STRIDE) {
        owner.act(from[at], from[at + 1], from[at + 2], from[at + 3])
        // The core failed meanwhile: what it had decided is void.
        if (from !== queue) {
          from = queue
          at = -STRIDE
        }
      }
      from.length = 0
    } finally {
      busy = false
    }
    const work = later
    later = nothing
    work()
    arm()
  }

  /** One timer. A later deadline leaves it alone for a while: ringing early costs less than setting it at each message. */
  const arm = () => {
    const now = present()
    if (!engine || due === Infinity || (due >= armedFor && now < armedAt + TRUSTED_MS)) return
    disarm()
    armedFor = due
    armedAt = now
    disarm = host.setTimer(Math.max(0, Math.ceil(due - now)), () => {
      ahead += Math.max(0, armedFor - present())
      armedFor = Infinity
      feed(In.TIMEOUT)
    })
  }

  return {
    runs: () => !!engine,
    load,
    feed,
    push,
    query,
    feedBy,
    outputs,
    hold,
    whenIdle(work) {
      if (!busy) return work()
      later = work
      stirred = true
    },
    unload,
  }
}
