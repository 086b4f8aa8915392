/** What the client tells its app about itself: news of the line, what a callback threw, and each step when debugging. */
import type { ClientOptions, News } from './options'

export interface Newsroom {
  /** Answers its own unsubscribe. */
  listen<K extends keyof News>(kind: K, fn: (news: News[K]) => unknown): () => void
  /** Who listens to this. */
  callbacks(kind: keyof News): Array<(news: any) => unknown>
  tell<K extends keyof News>(kind: K, news: News[K]): void
  report(error: unknown): void
  log(line: string): void
}

export function createNewsroom({ debug, onListenerError }: ClientOptions): Newsroom {
  const callbacks: { [kind: string]: Array<(news: any) => unknown> } = {}

  const report = (error: unknown) => {
    try {
      if (onListenerError) onListenerError(error)
      else console.error('heartline:', error)
    } catch (_) {
      // The reporter itself threw, or there is no console: there is nobody left to tell.
    }
  }

  /** An app's callback: what it throws harms nobody. */
  const guard = <T>(fn: (argument: T) => unknown, argument: T) => {
    try {
      fn(argument)
    } catch (error) {
      report(error)
    }
  }

  return {
    listen(kind, fn) {
      const once: typeof fn = (news) => fn(news)
      // A new array each time: a callback may unsubscribe while the old one is walked.
      callbacks[kind] = (callbacks[kind] || []).concat(once)
      return () => {
        callbacks[kind] = callbacks[kind].filter((other) => other !== once)
      }
    },
    tell(kind, news) {
      for (const fn of callbacks[kind] || []) guard(fn, news)
    },
    callbacks: (kind) => callbacks[kind] || [],
    report,
    log(line) {
      if (debug) guard(typeof debug === 'function' ? debug : (text) => console.log(text), `heartline: ${line}`)
    },
  }
}
