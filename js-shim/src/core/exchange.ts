/**
 * The frames of one client: what comes in is fed to the core by numbers, what the core decides to send becomes text. Keeps
 * what the numbers stand for: payloads, event names, and the uuids' prefix.
 */
import type { Host } from '../types'
import { In, NONE } from './codes'
import type { Link } from './link'
import type { Machine, Route } from './machine'
import { uuidPrefix } from './prefix'
import type { Streams } from './streams'
import { encode, encodePong } from './wire'
import type { FrameTaker } from './wire'

export interface Exchange {
  /** Feeds the core what is decoded. */
  taker: FrameTaker
  /** `json`: the data. */
  send(link: Link, epoch: number, id: number, event: string, json: string | undefined): void
  pong(link: Link, epoch: number, ref: number): void
  /** Keeps a payload, under a number. */
  keep(value: unknown): number
  /** A payload that the core knows by number only. */
  payload(ref: number): any
  /** Hands a payload over and forgets it. */
  take(ref: number): any
  /** The core is gone: no number means anything any more, and no uuid is ever used twice. */
  reset(): void
  /** How many payloads are kept. */
  count(): number
}

/** `streams` is asked late: it is made of this room. */
export function createExchange(host: Host, { feed, push, query, feedBy }: Machine, streams: () => Streams | undefined): Exchange {
  /** The payloads by number, from 1. A number is used again once its payload was taken. */
  const payloads: unknown[] = [undefined]
  const free: number[] = []
  const routes = new Map<string, Route>()
  let prefix = uuidPrefix(host)

  const keep = (value: unknown) => {
    const ref = free.pop() || payloads.length
    payloads[ref] = value
    return ref
  }

  /** The way of an event that is met for the first time; undefined when the core's table is full. */
  const newRoute = (name: string) => {
    const event = query((core, id) => {
      core.text(name)
      return core.intern(id)
    })
    if (event === undefined || event < 0) return undefined
    const route: Route = { event, hearers: undefined, told: NONE }
    routes.set(name, route)
    return route
  }

  /** The number in a uuid of ours; 0 for any other. */
  const idOf = (uuid: unknown) => {
    if (typeof uuid !== 'string' || uuid.lastIndexOf(prefix, 0) !== 0) return 0
    const digits = uuid.slice(prefix.length)
    return /^[1-9]\d{0,9}$/.test(digits) ? +digits : 0
  }

  const taker: FrameTaker = {
    push(epoch, event, message) {
      if (message.$hl) {
        const durable = streams()
        if (durable && durable.stored(epoch, message)) return
      }
      const route = routes.get(event) || newRoute(event)
      if (!route) {
        const body = keep(message)
        feedBy((core, id, now) => {
          core.text(event)
          return core.named_push(id, now, epoch, body)
        })
      } else if (!push(epoch, route, message)) feed(In.PUSH, epoch, route.event, keep(message))
    },
    reply(epoch, uuid, ok, body) {
      const id = idOf(uuid)
      if (id) feed(In.REPLY, epoch, id, +ok, keep(body))
      else feed(In.OTHER, epoch)
    },
    ping: (epoch, raw) => feed(In.PING, epoch, keep(raw)),
    notice(epoch, body) {
      const durable = streams()
      if (durable) durable.notice(epoch, body)
      else feed(In.OTHER, epoch)
    },
    other: (epoch) => feed(In.OTHER, epoch),
  }

  const take = (ref: number) => {
    const value = payloads[ref]
    payloads[ref] = undefined
    free.push(ref)
    return value
  }

  return {
    taker,
    keep,
    send(link, epoch, id, event, json) {
      link.send(epoch, encode(event, json, prefix + id), (fate) => {
        if (fate !== 'accepted') feed(In.SEND_FAILED, epoch, id, +(fate === 'unknown'))
      })
    },
    pong(link, epoch, ref) {
      link.post(epoch, encodePong(take(ref) as string))
    },
    payload: (ref) => payloads[ref],
    take,
    reset() {
      payloads.length = 1
      free.length = 0
      routes.clear()
      prefix = uuidPrefix(host)
    },
    count: () => payloads.length - 1 - free.length,
  }
}
