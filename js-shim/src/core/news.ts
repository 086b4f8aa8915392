/** What the client tells its app about itself: news of the line, what a callback threw, and each step when debugging. */
import { isThenable, nothing } from '../socket/task'
import { FUNCTION, must } from './check'
import type { ClientOptions, News } from './options'

/** All kinds there are. */
const KINDS = 'string: state login loginRefused disconnect gap poisoned storage outboxDropped fatal fallback'

export interface Newsroom {
  /** Answers its own unsubscribe. */
  listen<K extends keyof News>(kind: K, fn: (news: News[K]) => unknown): () => void
  /** Who listens to this. */
  callbacks(kind: keyof News): Array<(news: any) => unknown>
  tell<K extends keyof News>(kind: K, news: News[K]): void
  report(error: unknown): void
  /** An app's callback: what it throws, or rejects with, is reported and harms nobody. */
  guard<T>(fn: (argument: T) => unknown, argument: T): void
  log(line: string): void
}

export function createNewsroom({ debug, onListenerError }: Pick<ClientOptions, 'debug' | 'onListenerError'>): Newsroom {
  const callbacks: { [kind: string]: Array<(news: any) => unknown> } = {}
  KINDS.split(' ').forEach((kind) => (callbacks[kind] = []))

  const report = (error: unknown) => {
    try {
      // One that rejects is as lost as one that throws.
      if (onListenerError) return settle(onListenerError(error), nothing)
      else console.error('heartline:', error)
    } catch (_) {
      // The reporter itself threw, or there is no console: there is nobody left to tell.
    }
  }

  const guard: Newsroom['guard'] = (fn, argument) => {
    try {
      const answer = fn(argument)
      // This is the path of every message, and nearly always it is no promise.
      if (typeof answer === 'object') settle(answer, report)
    } catch (error) {
      report(error)
    }
  }

  return {
    listen(kind, fn) {
      must('kind', callbacks[kind] && kind, KINDS)
      must('listener', fn, FUNCTION)
      const once: typeof fn = (news) => fn(news)
      // A new array each time: a callback may unsubscribe while the old one is walked.
      callbacks[kind] = callbacks[kind].concat(once)
      return () => {
        callbacks[kind] = callbacks[kind].filter((other) => other !== once)
      }
    },
    tell(kind, news) {
      for (const fn of callbacks[kind]) guard(fn, news)
    },
    callbacks: (kind) => callbacks[kind],
    report,
    guard,
    log(line) {
      if (debug) guard(typeof debug === 'function' ? debug : (text) => console.log(text), `heartline: ${line}`)
    },
  }
}

/** What an `async` callback rejects with would else end the process (Node). */
function settle(answer: unknown, failed: (error: unknown) => void): void {
  if (isThenable(answer)) answer.then(undefined, failed)
}
