/** The app's callbacks on pushes. The core decides who hears what; this table knows whom its numbers mean. */
import { nothing } from '../socket/task'
import { FUNCTION, must, TEXT } from './check'
import { In } from './codes'
import type { Machine } from './machine'
import type { Listener } from './options'

/** One callback. */
export interface Hearer {
  fn: Listener
  readonly once: boolean
}

interface Entry extends Hearer {
  pattern: string
  /** The core's number; 0: not told yet. */
  id: number
}

export interface Listeners {
  add(pattern: string, fn: Listener, replace: boolean, once: boolean): () => void
  /** `pattern` and `fn`: this callback there; `pattern`: all of it; neither: all. */
  off(pattern?: string, fn?: Listener): void
  /** Tells a fresh core every listener, in their order. What it does not take goes to `refused`. */
  tellAll(refused: (error: unknown) => void): void
  /** Whom to call; undefined when it was removed since the core decided. */
  find(id: number): Hearer | undefined
  remove(hearer: Hearer): void
  count(): number
}

export function createListeners({ query, feed }: Machine): Listeners {
  const entries = new Set<Entry>()
  const byId = new Map<number, Entry>()

  const tell = (entry: Entry) => {
    const { pattern } = entry
    const id = query((core, client, now) => {
      core.text(pattern)
      return core.listen(client, now)
    })
    if (id === undefined) return
    // An empty or endless pattern, or too many listeners: the core says so by a negative number.
    if (id < 0) {
      entries.delete(entry)
      throw new TypeError(`heartline: cannot listen to ${JSON.stringify(pattern)} (${id})`)
    }
    entry.id = id
    byId.set(id, entry)
  }

  const remove: Listeners['remove'] = (hearer) => {
    const entry = hearer as Entry
    // Whoever still remembers the entry keeps nothing of the page alive.
    entry.fn = nothing
    if (entries.delete(entry) && byId.delete(entry.id)) feed(In.UNLISTEN, entry.id)
  }

  const off = (pattern?: string, fn?: Listener) => {
    must('pattern', pattern, TEXT, pattern === undefined)
    must('listener', fn, FUNCTION, true)
    entries.forEach((entry) => {
      if ((pattern === undefined || entry.pattern === pattern) && (!fn || entry.fn === fn)) remove(entry)
    })
  }

  return {
    add(pattern, fn, replace, once) {
      must('pattern', pattern, TEXT)
      must('listener', fn, FUNCTION)
      const entry: Entry = { pattern, fn, once, id: 0 }
      if (replace) off(pattern)
      entries.add(entry)
      tell(entry)
      return () => remove(entry)
    },
    off,
    remove,
    tellAll(refused) {
      byId.clear()
      entries.forEach((entry) => {
        try {
          tell(entry)
        } catch (error) {
          refused(error)
        }
      })
    },
    find: (id) => byId.get(id),
    count: () => entries.size,
  }
}
