/** The promises of the app's requests. The core says once for each what has become of it. */
import { AMOUNT, must, mustBeAll, OBJECT, TEXT } from './check'
import { Fate, IDEMPOTENT, In, UNSENT } from './codes'
import { HeartlineError } from './error'
import type { ErrorCode } from './error'
import type { Machine } from './machine'
import type { RequestOptions } from './options'

interface Pending {
  event: string
  /** The data as JSON, until it was sent. */
  json: string | undefined
  sent: boolean
  again: boolean | undefined
  resolve(data: unknown): void
  fail(code: ErrorCode, sent: boolean, reason?: string, data?: unknown): void
}

export interface Requests {
  /** Settles exactly once, whatever happens. `run` runs the command at once or when the core is there. */
  add(run: (command: () => void) => void, event: string, data: unknown, options: RequestOptions): Promise<unknown>
  /** Hands over a request that is to be sent now. */
  sending(id: number, send: (event: string, json: string | undefined) => void): void
  eventOf(id: number): string
  /** `data`: the reply's, where there is one. */
  settle(id: number, fate: Fate, argument: number, data: unknown): void
  /** The core is gone: nothing is known of what was sent. */
  abandon(reason: string): void
  /** How many are not settled. */
  count(): number
}

const CODES: ErrorCode[] = ['refused', 'refused', 'not_sent', 'sent_unknown', 'timed_out', 'cancelled']

export function createRequests({ query, feed }: Machine): Requests {
  const pending = new Map<number, Pending>()
  /** Numbers for the keys of queued requests. Emptied with the last request: never longer than the pool. */
  const keys = new Map<string, number>()
  let lastKey = 0

  const keyOf = (queue: boolean | string | undefined) => {
    if (!queue) return -1
    if (queue === true) return 0
    let key = keys.get(queue)
    if (!key) keys.set(queue, (key = ++lastKey))
    return key
  }

  const ask = (entry: Pending, { timeoutMs, beforeLogin, queue }: RequestOptions) => {
    const id = query((core, client) => core.next_request(client))
    if (id === undefined || id < 0) {
      entry.fail('not_sent', false, 'destroyed')
      return 0
    }
    pending.set(id, entry)
    const bytes = (queue || entry.again) && entry.json ? entry.json.length * 3 : 0
    feed(beforeLogin ? In.REQUEST_EARLY : In.REQUEST, id, timeoutMs || 0, entry.again ? bytes | IDEMPOTENT : bytes, keyOf(queue))
    return id
  }

  const take = (id: number) => {
    const entry = pending.get(id)
    pending.delete(id)
    if (!pending.size) keys.clear()
    return entry
  }

  return {
    add(run, event, data, options) {
      must('event', event, TEXT)
      mustBeAll(options, { signal: OBJECT, timeoutMs: AMOUNT, queue: 'boolean or string' })
      return new Promise((resolve, reject) => {
        const { signal } = options
        let id = 0
        const heed = (how: 'addEventListener' | 'removeEventListener') => signal && signal[how] && signal[how]!('abort', abort)
        const fail: Pending['fail'] = (code, sent, reason, body) => {
          heed('removeEventListener')
          reject(new HeartlineError(code, event, sent, reason, body))
        }
        const abort = () => (id ? feed(In.CANCEL, id) : fail('cancelled', false, 'aborted'))
        if (signal && signal.aborted) return abort()
        let json: string | undefined
        try {
          // Now, so that the app may change its object afterwards.
          json = data === undefined ? data : JSON.stringify(data)
        } catch (error) {
          return fail('not_sent', false, String(error))
        }
        heed('addEventListener')
        run(() => {
          if (signal && signal.aborted) return abort()
          id = ask({ event, json, sent: false, again: options.idempotent, resolve: (value) => (heed('removeEventListener'), resolve(value)), fail }, options)
        })
      })
    },
    sending(id, send) {
      const entry = pending.get(id)
      if (!entry) return
      const { event, json } = entry
      entry.sent = true
      if (!entry.again) entry.json = undefined
      send(event, json)
    },
    eventOf(id) {
      const entry = pending.get(id)
      return entry ? entry.event : ''
    },
    settle(id, fate, argument, data) {
      const entry = take(id)
      if (!entry) return
      if (fate === Fate.OK) return entry.resolve(data)
      // It certainly left, it certainly did not, or the core says which.
      const sent = fate === Fate.REFUSED || fate === Fate.SENT_UNKNOWN || (fate !== Fate.NOT_SENT && !!argument)
      entry.fail(CODES[fate], sent, fate === Fate.NOT_SENT ? UNSENT[argument] : undefined, data)
    },
    abandon: (reason) =>
      pending.forEach((entry, id) => {
        take(id)
        entry.fail(entry.sent ? 'sent_unknown' : 'not_sent', entry.sent, reason)
      }),
    count: () => pending.size,
  }
}
