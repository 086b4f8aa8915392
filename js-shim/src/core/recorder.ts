/**
 * The flight recorder: what the core was told and what it decided, in a bounded record, for `heartline-server replay`.
 *
 * A room of its own that only apps which ask for it download. What crosses the core's boundary are numbers, and the names of events:
 * no token, no address and no message can be in a trace.
 */
import { AMOUNT, must } from './check'
import type { Engine } from '../load/index'

/** Given to `createHeartline`; asked for its trace at any time. */
export interface Recorder {
  /** The record as JSON: the present core and the one before it. */
  trace(): string
  /** @internal */
  wrap(engine: Engine): Engine
  /** @internal */
  emitted(kind: number, a: number, b: number, c: number): void
}

export interface RecorderOptions {
  /** How many calls are kept of each core; 20,000 by default. Beyond, the oldest half goes, and the trace can be read but not replayed. */
  maxCalls?: number
}

type Call = [string, Array<number | string>, number | null, number[]]

interface Life {
  engine: string
  dropped: number
  kept: Call[]
}

/** A recorder for one client. */
export function recorder({ maxCalls = 20000 }: RecorderOptions = {}): Recorder {
  must('maxCalls', maxCalls, AMOUNT)
  const bound = Math.max(maxCalls, 64)
  let lives: Life[] = []

  const note = (name: string, args: Array<number | string>): Call => {
    const life = lives[lives.length - 1]
    if (life.kept.length >= bound) life.dropped += life.kept.splice(0, bound >> 1).length
    const call: Call = [name, args, null, []]
    life.kept.push(call)
    return call
  }

  /** The boundary takes the low 32 bits of a number. */
  const tap = <F extends (...args: any[]) => any>(name: string, fn: F, skip = 1): F =>
    ((...args: any[]) => {
      const call = note(name, args.slice(skip).map((arg) => (typeof arg === 'string' ? arg : arg | 0)))
      const answer = fn(...args)
      call[2] = typeof answer === 'number' ? answer : 0
      return answer
    }) as F

  return {
    // Quoted: the build shortens the name of a member `calls`.
    trace: () => JSON.stringify({ heartline: 1, lives: lives.map(({ engine, dropped, kept }) => ({ engine, dropped, ['calls']: kept })) }),
    wrap({ name, core }) {
      lives = lives.slice(-1).concat({ engine: name, dropped: 0, kept: [] })
      return {
        name,
        core: {
          create: tap('create', core.create, 0),
          deliver_turn: tap('deliver_turn', core.deliver_turn),
          discard: tap('discard', core.discard),
          feed: tap('feed', core.feed),
          intern: tap('intern', core.intern),
          listen: tap('listen', core.listen),
          named_push: tap('named_push', core.named_push),
          next_request: tap('next_request', core.next_request),
          option: tap('option', core.option),
          push: tap('push', core.push),
          text: tap('text', core.text, 0),
        },
      }
    },
    emitted(kind, a, b, c) {
      const life = lives[lives.length - 1]
      const call = life && life.kept[life.kept.length - 1]
      if (call) call[3].push(kind, a, b, c)
    },
  }
}
