/** A clock that stands still until a test moves it. */

interface Timer {
  id: number
  due: number
  every: number | undefined
  run: () => void
  cancelled: boolean
}

/** At most this many timers may ring within one `advance`: a loop of zero-delay timers fails instead of hanging. */
const MAX_RINGS = 1000000

export class FakeClock {
  private current = 0
  private lastId = 0
  /** In the order in which they ring. Cancelled ones stay until their turn comes, or until they are most of the list. */
  private timers: Timer[] = []
  private readonly waiting = new Map<number, Timer>()
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
    return this.waiting.size
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
      this.cancel(next.id)
      if (next.every !== undefined) this.put(next.id, Math.max(1, next.every), next.every, next.run)
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
    this.put(++this.lastId, ms, every, run)
    return this.lastId
  }

  private put(id: number, ms: number, every: number | undefined, run: () => void): void {
    const timer = { id, due: this.current + Math.max(0, ms), every, run, cancelled: false }
    // Behind all that ring at the same moment: they ring in the order in which they were set.
    let low = 0
    let high = this.timers.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.timers[middle].due <= timer.due) low = middle + 1
      else high = middle
    }
    this.timers.splice(low, 0, timer)
    this.waiting.set(id, timer)
  }

  private cancel(id: number): void {
    const timer = this.waiting.get(id)
    if (!timer) return
    timer.cancelled = true
    this.waiting.delete(id)
    if (this.timers.length > 64 && this.timers.length > 2 * this.waiting.size) {
      this.timers = this.timers.filter((each) => !each.cancelled)
    }
  }

  private next(target: number): Timer | undefined {
    while (this.timers.length && this.timers[0].cancelled) this.timers.shift()
    const first = this.timers[0]
    return first && first.due <= target ? first : undefined
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
