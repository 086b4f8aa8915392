/**
 * Durable streams: what the core's numbers of streams and epochs mean, whose turn it is, and what outlives the app.
 *
 * A room of its own that only apps which ask for it download: `createHeartline({ durable: durable() })`.
 */
import { isThenable, nothing } from '../socket/task'
import type { Host, PositionStorage } from '../types'
import { FUNCTION, must, mustBeAll, OBJECT, TEXT } from './check'
import { In, NONE, Out, PLACE_SHIFT } from './codes'
import type { Exchange } from './exchange'
import type { Link } from './link'
import type { Hearer } from './listeners'
import { STRIDE } from './machine'
import type { Machine } from './machine'
import type { Newsroom } from './news'
import { uuidPrefix } from './prefix'

/** What an app may say of its device. */
export interface DurableOptions {
  /** Its name: 1 to 64 of `A-Z a-z 0-9 . _ -`. Made up and kept in the storage if it is not given. */
  device?: string
  /** Tells several clients of one app apart in its storage; 'main' by default. */
  key?: string
  /** Where positions are kept; the platform's own storage by default. */
  storage?: PositionStorage
}

/** What `durable` answers: to be given to `createHeartline`. */
export type Durable = (room: Room) => Streams

/** What the client lends this room. */
export interface Room extends Pick<Newsroom, 'tell' | 'report' | 'log' | 'callbacks'> {
  host: Host
  machine: Machine
  exchange: Exchange
  link: Link
  hearer(listener: number): Hearer | undefined
  remove(hearer: Hearer): void
  /** The user of the latest login. */
  user(): string
}

export interface Streams {
  /** A push that says its place in a stream is taken; any other is left. */
  stored(epoch: number, message: any): boolean
  /** What the server says of a stream. */
  notice(epoch: number, body: any): void
  act(kind: Out, a: number, b: number, c: number): void
  /** What a login says beside the credentials. */
  extension(): unknown
  /** Tells a fresh core what is remembered. */
  ready(): void
  /** The core is gone: its numbers of turns mean nothing any more. */
  reset(): void
}

/** By stream: its epoch, and up to where it was handled. */
type Positions = Record<string, [string, number]>

/** 2 to the power of PLACE_SHIFT, written out: a computed one would stay in bundles without this room. */
const MAX_STREAMS = 64
/** Epochs that one life may meet. An honest server begins one when its folder is lost. */
const MAX_EPOCHS = 4096
const MAX_OFFSET = 0xffffffff
/** A position that could not be stored is tried again after this long, then after twice as long each time, to a minute. */
const STORE_AGAIN_MS = 1000
const MAX_DOUBLED = 6

/** Asks the server for durable streams. See the package's README. */
export function durable(options: DurableOptions = {}): Durable {
  mustBeAll(options, { key: TEXT, storage: OBJECT })
  const { device, storage } = options
  must('device', device === undefined || isDevice(device) ? device : '', 'string of 1 to 64 of A-Z a-z 0-9 . _ -', true)
  if (storage) for (const name of ['get', 'set'] as const) must(`storage.${name}`, storage[name], FUNCTION)
  return (room) => createStreams(room, options)
}

function createStreams(room: Room, options: DurableOptions): Streams {
  const { host, machine, exchange, link, tell, report, log } = room
  const { feed } = machine
  const key = `heartline:${options.key || 'main'}`
  const storage = options.storage || host.storage
  const names: string[] = []
  const epochs: string[] = []
  let standing: Record<string, [string, number, number]> = {}
  let gap: any
  /** Which core the turns are of. */
  let life = 0

  const guarded = <T>(work: () => T): T | undefined => {
    const failed = (error: unknown) => tell('storage', { error })
    try {
      const done = work()
      // A storage of the app's own may be `async`.
      if (isThenable(done)) done.then(undefined, failed)
      return done
    } catch (error) {
      failed(error)
      return undefined
    }
  }

  let device = options.device
  let at: Positions = {}
  let loaded = false
  /** What the storage took last. */
  let kept = '{}'
  /** Answers whether the storage has it: perhaps later. */
  const save = (stored: (ok: boolean) => void) => {
    const text = JSON.stringify({ device, at })
    const done = () => {
      kept = JSON.stringify(JSON.parse(text).at)
      stored(true)
    }
    const failed = (error: unknown) => {
      tell('storage', { error })
      stored(false)
    }
    try {
      const answer: unknown = storage && storage.set(key, text)
      if (isThenable(answer)) answer.then(done, failed)
      else done()
    } catch (error) {
      failed(error)
    }
  }

  /** By name, the place and offset that the core waits to hear of: only what is stored is acknowledged. */
  let unstored = new Map<string, [number, number]>()
  let failures = 0
  let disarm: (() => void) | undefined
  const store = () => {
    const mine = unstored
    const said = Array.from(mine)
    save((ok) => {
      if (mine !== unstored) return
      if (ok) {
        failures = 0
        said.forEach(([name, asked]) => {
          if (mine.get(name) === asked) mine.delete(name)
          // The number may be another stream's by now.
          if (nameOf(asked[0]) === name) feed(In.STORED, asked[0], asked[1], 1)
        })
      } else if (!disarm) {
        disarm = host.setTimer(STORE_AGAIN_MS << Math.min(failures++, MAX_DOUBLED), () => {
          disarm = undefined
          // Not for a client that was destroyed meanwhile.
          if (machine.runs()) store()
        })
      }
    })
  }

  /** Once, and when there is somebody to tell. */
  const load = () => {
    loaded = true
    const found = guarded(() => {
      if (!storage) throw new Error('heartline: no storage here: positions are forgotten with the app')
      return parse(storage.get(key))
    })
    if (found) at = found.at
    kept = JSON.stringify(at)
    device = device || (found && found.device) || uuidPrefix(host).slice(0, 20)
    // One that was made up is the same in its next life.
    if (!found && storage) save(nothing)
  }

  const numberOf = (list: string[], name: string, max: number) => {
    const found = list.indexOf(name)
    return found >= 0 || list.length >= max ? found : list.push(name) - 1
  }

  /** Of the users of our own role, only we ourselves are meant. */
  const isOurs = (name: string) => {
    const user = room.user()
    return name === user || name.lastIndexOf(user.slice(0, user.indexOf(':') + 1) || '\n', 0) !== 0
  }

  /** Where all numbers are taken, the stream that was stored longest ago and is not in use makes room; -1 where all are. */
  const streamOf = (name: string) => {
    if (!isOurs(name)) return -1
    const known = numberOf(names, name, MAX_STREAMS)
    if (known >= 0) return known
    for (const old of Object.keys(at)) {
      const stream = names.indexOf(old)
      let free = false
      machine.feedBy((core, id, now) => {
        const answer = core.feed(id, In.FORGET, now, stream, 0, 0, 0)
        free = answer >= NONE
        return answer
      })
      if (free) {
        names[stream] = name
        delete at[old]
        tell('storage', { error: new Error(`heartline: ${MAX_STREAMS} streams are remembered: ${old} made room for ${name}`) })
        return stream
      }
    }
    return -1
  }

  /** Both numbers in one; undefined where there are too many. */
  const placeOf = (name: string, epoch: string) => {
    const stream = streamOf(name)
    const tag = numberOf(epochs, epoch, MAX_EPOCHS)
    return stream < 0 || tag < 0 ? undefined : stream | (tag << PLACE_SHIFT)
  }
  const nameOf = (place: number) => names[place & (MAX_STREAMS - 1)]
  const epochOf = (place: number) => epochs[place >>> PLACE_SHIFT]

  /** Calls them all; whether all did well, perhaps later. A callback of one call is done with once it has done well. */
  const call = (hearers: Hearer[], message: unknown): boolean | PromiseLike<boolean> => {
    let well = true
    const failed = (error: unknown) => {
      well = false
      report(error)
    }
    const waits: Array<PromiseLike<unknown>> = []
    hearers.forEach((hearer) => {
      const done = () => hearer.once && room.remove(hearer)
      try {
        const answer: unknown = hearer.fn(message)
        if (isThenable(answer)) waits.push(answer.then(done, failed))
        else done()
      } catch (error) {
        failed(error)
      }
    })
    return waits.length ? Promise.all(waits).then(() => well) : well
  }

  const hearersOf = (body: number): Hearer[] => {
    const numbers = machine.outputs((core, id, now) => {
      core.text(exchange.payload(body).event)
      core.deliver_turn(id, now, body)
    })
    const listeners = numbers.filter((_, at) => at % STRIDE === 1)
    return listeners.map((listener) => room.hearer(listener)!).filter(Boolean)
  }

  const turn = (stream: number, number: number, body: number) => {
    const mine = life
    const answer = (ok: boolean) => void (mine === life && feed(In.HANDLED, stream, number, +ok))
    const outcome =
      body === NONE
        ? call(room.callbacks('gap').map((fn) => ({ fn, once: false })), gap)
        : call(hearersOf(body), exchange.payload(body))
    if (typeof outcome === 'boolean') answer(outcome)
    else outcome.then(answer)
  }

  return {
    stored(epoch, message) {
      const { $hl } = message
      if (!isPlace($hl)) return false
      const stream = streamOf($hl[0])
      if (stream < 0) feed(In.OTHER, epoch)
      else feed(In.DURABLE, epoch, stream, $hl[1], exchange.keep(message))
      return true
    },
    notice(epoch, { at, gap }) {
      if (isPosition(at, 3)) {
        const place = placeOf(at[0], at[1])
        if (place !== undefined) return feed(In.ATTACHED, epoch, place, at[2])
      } else if (isPosition(gap, 5) && isOffset(gap[3]) && (gap[4] === 'retention' || gap[4] === 'epoch')) {
        const place = placeOf(gap[0], gap[1])
        const kind = gap[4] === 'epoch' ? In.GAP_EPOCH : In.GAP
        if (place !== undefined) return feed(kind, epoch, place, gap[2], gap[3])
      }
      feed(In.OTHER, epoch)
    },
    act(kind, a, b, c) {
      switch (kind) {
        case Out.TURN:
          return turn(a, b, c)
        case Out.PERSIST: {
          const name = nameOf(a)
          // The latest last: where there are too many, the oldest goes.
          delete at[name]
          at[name] = [epochOf(a), b >>> 0]
          unstored.set(name, [a, b])
          return store()
        }
        case Out.STAND:
          return void (standing[nameOf(a)] = [epochOf(a), b >>> 0, c >>> 0])
        case Out.GAP:
        case Out.GAP_EPOCH: {
          const reason = kind === Out.GAP ? 'retention' : 'epoch'
          gap = { stream: nameOf(a), epoch: epochOf(a), from: b >>> 0, to: c >>> 0, reason }
          return log(`gap ${JSON.stringify(gap)}`)
        }
        case Out.POISONED:
          return tell('poisoned', { stream: names[a], offset: b >>> 0, message: c === NONE ? undefined : exchange.payload(c) })
        case Out.ACK:
          return link.post(a, `{"event":"$hl:ack","data":{${JSON.stringify(names[b])}:${c >>> 0}}}`)
        case Out.PARK:
          return link.post(a, '{"event":"$hl:park"}')
        case Out.SHOW:
          return link.post(a, '{"event":"$hl:show"}')
      }
    },
    extension() {
      const said = { v: 1, device, at: standing }
      standing = {}
      return said
    },
    ready() {
      if (!loaded) load()
      at = JSON.parse(kept)
      for (const name of Object.keys(at).slice(0, -MAX_STREAMS)) delete at[name]
      for (const name of Object.keys(at)) {
        const stream = numberOf(names, name, MAX_STREAMS)
        const tag = numberOf(epochs, at[name][0], MAX_EPOCHS)
        if (stream >= 0 && tag >= 0) feed(In.POSITION, stream | (tag << PLACE_SHIFT), at[name][1])
      }
    },
    reset() {
      life++
      standing = {}
      unstored = new Map()
      failures = 0
      if (disarm) disarm()
      disarm = undefined
    },
  }
}

/** What the storage holds; undefined when there is nothing. Throws when it is something else. */
function parse(text: unknown): { device: string; at: Positions } | undefined {
  if (!text) return undefined
  if (isThenable(text)) {
    text.then(undefined, nothing)
    throw new Error('heartline: storage.get must give the text at once, not a promise')
  }
  const { device, at } = JSON.parse(String(text))
  if (!isDevice(device)) throw new Error(`heartline: the storage holds no device: ${text}`)
  for (const name of Object.keys(at)) {
    if (!isPosition([name].concat(at[name]), 3)) throw new Error(`heartline: the storage holds no positions: ${text}`)
  }
  return { device, at }
}

function isDevice(name: unknown): boolean {
  return typeof name === 'string' && /^[\w.-]{1,64}$/.test(name)
}

/** `[NAME, EPOCH, OFFSET, …]` of this length. */
function isPosition(list: any, length: number): list is any[] {
  return (
    Array.isArray(list) && list.length === length && typeof list[0] === 'string' && /^[\da-f]{16}$/.test(list[1]) && isOffset(list[2])
  )
}

function isPlace(list: any): list is [string, number] {
  return Array.isArray(list) && list.length === 2 && typeof list[0] === 'string' && list[1] > 0 && isOffset(list[1])
}

function isOffset(number: unknown): number is number {
  return typeof number === 'number' && number >= 0 && number <= MAX_OFFSET && Math.floor(number) === number
}
