// Dials through an adapter and writes down what it tells.
import { createFakeUni } from 'heartline/testing'

/** A fake platform and one attempt on it. `log` reads like 'open', 'message hi', 'error …', 'close 1006 …'. */
export function dial({ platform, traits, host, before, fake = createFakeUni({ platform, traits }) } = {}) {
  if (before) before(fake)
  const log = []
  const socket = (host ? host(fake) : fake.host).connect('wss://test', {}, recorder(log))
  return { fake, log, socket, send: (text) => sendAndLog(socket, text, log) }
}

export function recorder(log) {
  return {
    open: () => log.push('open'),
    message: (data) => log.push(`message ${typeof data === 'string' ? data : `bytes ${[...new Uint8Array(data)]}`}`),
    error: (detail) => log.push(`error ${detail}`),
    close: (code, reason) => log.push(`close ${code} ${reason}`),
  }
}

function sendAndLog(socket, text, log) {
  socket.send(text, (fate) => log.push(`sent ${text}: ${fate}`))
}

/** Sets globals for the time of one test. */
export function withGlobals(t, globals) {
  for (const [name, value] of Object.entries(globals)) {
    const before = Object.getOwnPropertyDescriptor(globalThis, name)
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true })
    t.after(() => (before ? Object.defineProperty(globalThis, name, before) : delete globalThis[name]))
  }
}
