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
  /** The payloads by number, from 1. A number is used again once its payload was taken. */
  const payloads: unknown[] = [undefined]
  const free: number[] = []
  const names = new Map<string, number>()
  let prefix = uuidPrefix(host)

  const keep = (value: unknown) => {
    const ref = free.pop() || payloads.length
    payloads[ref] = value
    return ref
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
    const value = payloads[ref]
    payloads[ref] = undefined
    free.push(ref)
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
    payload: (ref) => payloads[ref],
    take,
    reset() {
      payloads.length = 1
      free.length = 0
      names.clear()
      prefix = uuidPrefix(host)
    },
    count: () => payloads.length - 1 - free.length,
  }
}
