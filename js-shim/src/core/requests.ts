/** The promises of the app's requests. The core says once for each what has become of it. */
import { Fate, In, UNSENT } from './codes'
import { HeartlineError, type ErrorCode } from './error'
import type { Machine } from './machine'
import type { RequestOptions } from './options'

interface Pending {
  event: string
  /** The data as JSON, until it was sent. */
  data: string | undefined
  queue: string | undefined
  sent: boolean
  resolve(data: unknown): void
  reject(error: HeartlineError): void
}

export class Requests {
  private pending = new Map<number, Pending>()
  private keys = new Map<string, number>()
  private lastKey = 0

  constructor(private readonly machine: Machine) {}

  /** Settles exactly once, whatever happens. `run` runs the command at once or when the core is there. */
  add(run: (command: () => void) => void, event: string, data: unknown, options: RequestOptions): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const { signal, queue } = options
      const refuse = (code: ErrorCode, reason: string) => reject(new HeartlineError(code, { event, reason, sent: false }))
      if (signal && signal.aborted) return refuse('cancelled', 'aborted')
      let json: string | undefined
      try {
        // Now, so that the app may change its object afterwards.
        json = data === undefined ? undefined : JSON.stringify(data)
      } catch (error) {
        return refuse('not_sent', String(error))
      }
      let id = 0
      const abort = () => {
        if (id) this.machine.feed(In.CANCEL, id)
        else refuse('cancelled', 'aborted')
      }
      const over = () => signal && signal.removeEventListener && signal.removeEventListener('abort', abort)
      if (signal && signal.addEventListener) signal.addEventListener('abort', abort)
      const entry: Pending = {
        event,
        data: json,
        queue: queue ? String(queue) : undefined,
        sent: false,
        resolve: (value) => (over(), resolve(value)),
        reject: (error) => (over(), reject(error)),
      }
      run(() => {
        if (signal && signal.aborted) return refuse('cancelled', 'aborted')
        id = this.ask(entry, options)
      })
    })
  }

  /** How many are not settled. */
  get size(): number {
    return this.pending.size
  }

  /** The event and the data of a request that is to be sent now. */
  sending(id: number): { event: string; data: string | undefined } | undefined {
    const entry = this.pending.get(id)
    if (!entry) return undefined
    const { event, data } = entry
    entry.sent = true
    entry.data = undefined
    return { event, data }
  }

  eventOf(id: number): string {
    const entry = this.pending.get(id)
    return entry ? entry.event : ''
  }

  /** `data`: the reply's, where there is one. */
  settle(id: number, fate: Fate, argument: number, data: unknown): void {
    const entry = this.pending.get(id)
    if (!entry) return
    this.forget(id, entry)
    if (fate === Fate.OK) return entry.resolve(data)
    const { event } = entry
    const code = CODES[fate]
    if (fate === Fate.REFUSED) entry.reject(new HeartlineError(code, { event, data, sent: true }))
    else if (fate === Fate.NOT_SENT) entry.reject(new HeartlineError(code, { event, reason: UNSENT[argument], sent: false }))
    else entry.reject(new HeartlineError(code, { event, sent: fate === Fate.SENT_UNKNOWN || !!argument }))
  }

  /** The core is gone: nothing is known of what was sent. */
  abandon(reason: string): void {
    this.pending.forEach((entry, id) => {
      this.forget(id, entry)
      const { event, sent } = entry
      entry.reject(new HeartlineError(sent ? 'sent_unknown' : 'not_sent', { event, reason, sent }))
    })
  }

  private ask(entry: Pending, { timeoutMs, beforeLogin }: RequestOptions): number {
    const { machine } = this
    const id = machine.call((core, client) => core.next_request(client))
    if (id === undefined || id < 0) {
      entry.reject(new HeartlineError('not_sent', { event: entry.event, reason: 'destroyed', sent: false }))
      return 0
    }
    this.pending.set(id, entry)
    const bytes = entry.queue && entry.data ? entry.data.length * 3 : 0
    const key = entry.queue === undefined ? -1 : entry.queue === 'true' ? 0 : this.key(entry.queue)
    const timeout = Math.min(Math.max(timeoutMs || 0, 0), 0x7fffffff)
    machine.feed(beforeLogin ? In.REQUEST_EARLY : In.REQUEST, id, timeout, bytes, key)
    return id
  }

  /** Numbers for the keys of queued requests. Emptied with the last request: never longer than the pool. */
  private key(text: string): number {
    let key = this.keys.get(text)
    if (!key) this.keys.set(text, (key = ++this.lastKey))
    return key
  }

  private forget(id: number, entry: Pending): void {
    this.pending.delete(id)
    if (!this.pending.size) this.keys.clear()
    entry.data = undefined
  }
}

const CODES: ErrorCode[] = ['refused', 'refused', 'not_sent', 'sent_unknown', 'timed_out', 'cancelled']
