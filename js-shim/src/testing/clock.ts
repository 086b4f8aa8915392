/** A clock that stands still until a test moves it. */

interface Timer {
  id: number
  due: number
  every: number | undefined
  run: () => void
}

/** At most this many timers may ring within one `advance`: a loop of zero-delay timers fails instead of hanging. */
const MAX_RINGS = 1000000

export class FakeClock {
  private current = 0
  private lastId = 0
  private timers: Timer[] = []
  /** Taken now, so that `settle` still works once `install` has replaced the global timers. */
  private readonly macrotask: (run: () => void) => unknown = realMacrotask()

  /** Milliseconds since this clock was made. */
  now(): number {
    return this.current
  }

  /** Rings once, `ms` from now. Returns the way to cancel it. */
  setTimer(ms: number, run: () => void): () => void {
    const id = this.add(ms, run, undefined)
    return () => this.cancel(id)
  }

  /** How many timers are waiting. */
  get pending(): number {
    return this.timers.length
  }

  /** Lets everything run that needs no time: promises, and what they set off. */
  settle(): Promise<void> {
    return new Promise((resolve) => this.macrotask(resolve))
  }

  /** Moves time on by `ms`, ringing each timer at its moment and letting promises run in between. */
  advance(ms: number): Promise<void> {
    const target = this.current + ms
    let rings = 0
    const step = (): Promise<void> => {
      const next = this.next(target)
      if (!next) {
        this.current = target
        return this.settle()
      }
      if (++rings > MAX_RINGS) return Promise.reject(new Error('the timers never come to rest'))
      this.current = Math.max(this.current, next.due)
      if (next.every === undefined) this.cancel(next.id)
      else next.due = this.current + Math.max(1, next.every)
      next.run()
      return this.settle().then(step)
    }
    return this.settle().then(step)
  }

  /** Moves time on without ringing anything in between, as a phone that slept: overdue timers ring afterwards. */
  sleep(ms: number): Promise<void> {
    this.current += ms
    return this.advance(0)
  }

  /** Puts this clock in place of the global timers and of `Date.now`. Returns the way back. */
  install(): () => void {
    const scope = globalScope()
    const { setTimeout, clearTimeout, setInterval, clearInterval } = scope
    const dateNow = Date.now
    const epoch = 1700000000000
    scope.setTimeout = (run: () => void, ms?: number) => this.add(ms || 0, run, undefined)
    scope.setInterval = (run: () => void, ms?: number) => this.add(ms || 0, run, ms || 0)
    scope.clearTimeout = scope.clearInterval = (id: number) => this.cancel(id)
    Date.now = () => epoch + this.current
    return () => {
      scope.setTimeout = setTimeout
      scope.clearTimeout = clearTimeout
      scope.setInterval = setInterval
      scope.clearInterval = clearInterval
      Date.now = dateNow
    }
  }

  private add(ms: number, run: () => void, every: number | undefined): number {
    const id = ++this.lastId
    this.timers.push({ id, due: this.current + Math.max(0, ms), every, run })
    return id
  }

  private cancel(id: number): void {
    this.timers = this.timers.filter((timer) => timer.id !== id)
  }

  private next(target: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of this.timers) if (timer.due <= target && (!first || timer.due < first.due)) first = timer
    return first
  }
}

/** The global object, also where `globalThis` is missing. */
export function globalScope(): any {
  if (typeof globalThis !== 'undefined') return globalThis
  return typeof self !== 'undefined' ? self : typeof global !== 'undefined' ? global : {}
}

declare const globalThis: unknown
declare const self: unknown
declare const global: unknown
declare const setImmediate: ((run: () => void) => unknown) | undefined

function realMacrotask(): (run: () => void) => unknown {
  if (typeof setImmediate === 'function') return setImmediate
  const wait = setTimeout
  return (run) => wait(run, 0)
}
