/**
 * What every platform's socket has in common: one attempt goes from dialling to open to over, and never back.
 * Bad platforms report twice, late, or out of order; behind this guard the client hears each attempt
 * as `open? message* (error | close)`, and nothing after it closed the attempt itself.
 */
import type { SocketEvents } from '../types'

/** The guarded side of {@link SocketEvents}: safe to call in any order, any number of times. */
export interface Attempt extends SocketEvents {
  /** Open, by the platform's own event. A platform's `readyState` is never asked. */
  isOpen(): boolean
  /** Ended, by news from the platform or by `mute`. */
  isOver(): boolean
  /** From now on nothing is told any more: the client closed this attempt. Answers whether it was over already. */
  mute(): boolean
  /**
   * Call when `connect` is about to return. Events that came before are told after it: the client has its
   * `Socket` in hand before it hears of it.
   */
  release(): void
}

export function attempt(events: SocketEvents): Attempt {
  let open = false
  let over = false
  let muted = false
  // Bounded by what a platform reports while `connect` runs: an open, an error, a few messages.
  let held: Array<() => void> | null = []

  const tell = (run: () => void) => {
    if (held) held.push(run)
    else run()
  }
  const flush = () => {
    const waiting = held || []
    held = null
    for (const run of waiting) if (!muted) run()
  }
  const end = (run: () => void) => {
    if (over) return
    over = true
    open = false
    tell(run)
  }

  return {
    isOpen: () => open,
    isOver: () => over,
    open() {
      if (open || over) return
      open = true
      tell(() => events.open())
    },
    message(data) {
      // A message before the open event: the platform lost the open. The socket evidently is.
      this.open()
      if (!over) tell(() => events.message(data))
    },
    error: (detail) => end(() => events.error(detail)),
    close: (code, reason) => end(() => events.close(code, reason)),
    mute() {
      const former = over
      muted = over = true
      open = false
      return former
    },
    release() {
      if (!held) return
      if (held.length) Promise.resolve().then(flush)
      else held = null
    },
  }
}
