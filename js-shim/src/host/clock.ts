/** Time and chance, as far as every JavaScript engine has them. */

/**
 * Milliseconds that never run backwards. Made from `Date.now`, not `performance.now`, which stands still while an
 * iPhone sleeps: the client must see that time has passed, to probe the line when it wakes.
 */
export function monotonicClock(): () => number {
  let offset = 0
  let last = 0
  return () => {
    const reading = Date.now() + offset
    // The user set the clock back: go on from where we were.
    if (reading < last) offset += last - reading
    return (last = Math.max(reading, last))
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
export function randomBytes(count: number): Uint8Array | undefined {
  if (typeof crypto === 'undefined' || !crypto || !crypto.getRandomValues) return undefined
  const bytes = new Uint8Array(count)
  crypto.getRandomValues(bytes)
  return bytes
}
