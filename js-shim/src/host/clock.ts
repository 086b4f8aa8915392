/** Time and chance, as far as every JavaScript engine has them. */
import type { Host } from '../types'

/** What all hosts have in common. */
export function plainHost(name: string, connect: Host['connect']): Host {
  return { name, connect, now: monotonicClock(), setTimer, randomBytes }
}

/**
 * Milliseconds that never run backwards. Made from `Date.now`, not `performance.now`, which stands still while an
 * iPhone sleeps: the client must see that time has passed, to probe the line when it wakes.
 */
function monotonicClock(): () => number {
  let offset = 0
  let last = 0
  return () => {
    const now = Date.now()
    // The user set the clock back: go on from where we were.
    offset = Math.max(offset, last - now)
    return (last = now + offset)
  }
}

/** A timer and the way to cancel it. */
export function setTimer(ms: number, run: () => void): () => void {
  // Longer waits would fire at once: the platform's timers hold 31 bits.
  const id = setTimeout(run, Math.min(Math.max(ms, 0), 0x7fffffff))
  return () => clearTimeout(id)
}

declare const crypto: { getRandomValues?(bytes: Uint8Array): void } | undefined

/** Random bytes where the engine has a synchronous source; mini-programs mostly have none. */
function randomBytes(count: number): Uint8Array | undefined {
  if (typeof crypto === 'undefined' || !crypto || !crypto.getRandomValues) return undefined
  const bytes = new Uint8Array(count)
  crypto.getRandomValues(bytes)
  return bytes
}
