// Waiting for something to become true, with words for when it does not.

import { setTimeout as sleep } from 'node:timers/promises'

const APPEARS_WITHIN_MS = 30_000

/** Waits until `holds()` is truthy and resolves with it; `look()` says what was there instead. */
export async function until(what, holds, look = () => '') {
  const deadline = Date.now() + APPEARS_WITHIN_MS
  for (;;) {
    const got = await holds()
    if (got) return got
    if (Date.now() > deadline) throw new Error(`never came true: ${what}\n${look()}`)
    await sleep(25)
  }
}
