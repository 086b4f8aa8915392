/** The app's callbacks on pushes. The core decides who hears what; this table knows whom its numbers mean. */
import type { Machine } from './machine'
import { In } from './codes'
import type { Listener } from './options'

interface Entry {
  pattern: string
  fn: Listener
  replace: boolean
  once: boolean
  /** The core's number; 0: not told yet. */
  id: number
}

export class Listeners {
  private entries = new Set<Entry>()
  private byId = new Map<number, Entry>()

  constructor(private readonly machine: Machine) {}

  add(pattern: string, fn: Listener, replace: boolean, once: boolean): () => void {
    const entry: Entry = { pattern, fn, replace, once, id: 0 }
    if (replace) this.drop((other) => other.pattern === pattern)
    this.entries.add(entry)
    if (this.machine.engine) this.tell(entry)
    return () => this.remove(entry)
  }

  /** `pattern` and `fn`: this callback there; `pattern`: all of it; neither: all. */
  off(pattern: string | undefined, fn: Listener | undefined): void {
    this.drop((entry) => (pattern === undefined || entry.pattern === pattern) && (!fn || entry.fn === fn))
  }

  /** Tells a fresh core every listener, in their order. What it does not take goes to `refused`. */
  tellAll(refused: (error: unknown) => void): void {
    this.byId.clear()
    this.entries.forEach((entry) => {
      try {
        this.tell(entry)
      } catch (error) {
        refused(error)
      }
    })
  }

  /** Whom to call; undefined when it was removed since the core decided. */
  take(id: number): Listener | undefined {
    const entry = this.byId.get(id)
    if (entry && entry.once) this.remove(entry)
    return entry && entry.fn
  }

  private tell(entry: Entry): void {
    const { pattern, replace } = entry
    const id = this.machine.call((core, client, now) => core.listen(client, now, replace, pattern))
    if (id === undefined) return
    // An empty or endless pattern, or too many listeners: the core says so by a negative number.
    if (id < 0) {
      this.entries.delete(entry)
      throw new Error(`heartline: cannot listen to ${JSON.stringify(pattern)} (${id})`)
    }
    entry.id = id
    this.byId.set(id, entry)
  }

  private drop(which: (entry: Entry) => boolean): void {
    this.entries.forEach((entry) => {
      if (which(entry)) this.remove(entry)
    })
  }

  private remove(entry: Entry): void {
    if (!this.entries.delete(entry) || !entry.id) return
    this.byId.delete(entry.id)
    this.machine.feed(In.UNLISTEN, entry.id)
  }
}
