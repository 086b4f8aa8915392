// The last phases of the line, newest first: what a support person asks a user to read out.

import { reactive } from 'vue'
import { describe } from './line-text'

const MAX_ENTRIES = 10

export const history = reactive([])

let lastKey = 0

/** One more phase. */
export function remember(state) {
  const now = new Date()
  lastKey += 1
  history.unshift({ key: lastKey, at: now.toTimeString().slice(0, 8), text: describe(state, now.getTime()).text })
  if (history.length > MAX_ENTRIES) history.pop()
}
