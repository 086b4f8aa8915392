/** What only a developer is told, on the console. Bundlers leave these functions empty in an app's production build. */

// A bundler puts the value in its place. Where there is none, and no Node, there is no such name: nothing is told.
declare const process: { env: { NODE_ENV?: string } }

/** Whom each client that is not destroyed was logged in as last. In development only; as long as its clients. */
const lines = new Map<object, string>()

/** A client is logged in there and as this (or, without `who`, is gone): two of a kind are hot reload's remains, mostly. */
export function claim(line: object, who?: () => string): void {
  try {
    if (process.env.NODE_ENV === 'development') {
      const former = lines.get(line)
      lines.delete(line)
      if (!who) return
      const mine = who()
      lines.forEach((other) => {
        if (other === mine && former !== mine) {
          console.warn(`heartline: another client of this page is logged in at ${mine}: destroy() the former one, also on hot reload`)
        }
      })
      lines.set(line, mine)
    }
  } catch (_) {
    // See above.
  }
}

const hinted = new WeakSet<object>()

/** Says, once for each client, what is probably a mistake of the set-up. */
export function hint(line: object, text: () => string | false): void {
  try {
    if (process.env.NODE_ENV === 'development') {
      const found = !hinted.has(line) && text()
      if (!found) return
      hinted.add(line)
      console.warn(`heartline: ${found}`)
    }
  } catch (_) {
    // See above.
  }
}
