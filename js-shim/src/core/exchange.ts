/**
 * The frames of one client: what comes in is fed to the core by numbers, what the core decides to send becomes text. Keeps
 * what the numbers stand for: payloads, event names, and the uuids' prefix.
 */
import type { Host } from '../types'
import { In, NONE } from './codes'
import type { Link } from './link'
import type { Machine } from './machine'
import { uuidPrefix } from './prefix'
import { decode, encode, encodePong } from './wire'

export interface Exchange {
  receive(epoch: number, text: string): void
  /** `json`: the data. */
  send(link: Link, epoch: number, id: number, event: string, json: string | undefined): void
  pong(link: Link, epoch: number, ref: number): void
  /** A payload that the core knows by number only. */
  payload(ref: number): any
  /** Hands a payload over and forgets it. */
  take(ref: number): any
  /** The core is gone: no number means anything any more, and no uuid is ever used twice. */
  reset(): void
  /** How many payloads are kept. */
  count(): number
}

export function createExchange(host: Host, { feed, query, follow, hold }: Machine): Exchange {
  const payloads = new Map<number, unknown>()
  const names = new Map<string, number>()
  let prefix = uuidPrefix(host)
  let last = 0

  const keep = (value: unknown) => {
    // Within 31 bits for ever. A payload lives as long as its message is acted on.
    last = (last % 0x7fffffff) + 1
    payloads.set(last, value)
    return last
  }

  /** The core's number of an event name; -1 when its table is full. */
  const nameOf = (event: string) => {
    let name = names.get(event)
    if (name === undefined) {
      name = query((core, id) => core.intern(id, event))
      if (name === undefined || name < 0) return NONE
      names.set(event, name)
    }
    return name
  }

  /** The number in a uuid of ours; 0 for any other. */
  const idOf = (uuid: unknown) => {
    if (typeof uuid !== 'string' || uuid.lastIndexOf(prefix, 0) !== 0) return 0
    const digits = uuid.slice(prefix.length)
    return /^[1-9]\d{0,9}$/.test(digits) ? +digits : 0
  }

  const take = (ref: number) => {
    const value = payloads.get(ref)
    payloads.delete(ref)
    return value
  }

  return {
    receive(epoch, text) {
      const frame = decode(text)
      if (frame.kind === 'push') {
        const { event } = frame
        const name = nameOf(event)
        const body = keep(frame.body)
        if (name >= 0) return feed(In.PUSH, epoch, name, body)
        return hold(() => follow(query((core, id, now) => core.named_push(id, now, epoch, body, event))))
      }
      if (frame.kind === 'ping') return feed(In.PING, epoch, keep(frame.raw))
      const id = frame.kind === 'reply' ? idOf(frame.uuid) : 0
      if (frame.kind === 'reply' && id) feed(In.REPLY, epoch, id, +frame.ok, keep(frame.body))
      else feed(In.OTHER, epoch)
    },
    send(link, epoch, id, event, json) {
      link.send(epoch, encode(event, json, prefix + id), (fate) => {
        if (fate !== 'accepted') feed(In.SEND_FAILED, epoch, id, +(fate === 'unknown'))
      })
    },
    pong(link, epoch, ref) {
      link.send(epoch, encodePong(take(ref) as string), () => {})
    },
    payload: (ref) => payloads.get(ref),
    take,
    reset() {
      payloads.clear()
      names.clear()
      prefix = uuidPrefix(host)
    },
    count: () => payloads.size,
  }
}
