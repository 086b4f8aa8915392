// A wire that counts: passes connections on to a port of this machine, and keeps each one's heads and byte counts.

import { connect, createServer } from 'node:net'
import { once } from 'node:events'

const HEAD_ENDS = '\r\n\r\n'
const MAX_HEAD_BYTES = 64 * 1024

export class Tap {
  /** Passes on to `port`. */
  static async start(port) {
    const tap = new Tap()
    tap.listener = createServer((near) => tap.pass(near, connect(port, '127.0.0.1')))
    tap.listener.listen(0, '127.0.0.1')
    await once(tap.listener, 'listening')
    tap.ws = `ws://127.0.0.1:${tap.listener.address().port}`
    return tap
  }

  constructor() {
    /** In the order in which they came: `request` and `response` are HTTP heads, `up` and `down` bytes after them. */
    this.wires = []
    this.sockets = new Set()
  }

  pass(near, far) {
    const wire = { request: '', response: '', up: 0, down: 0 }
    this.wires.push(wire)
    for (const [from, to, head, count] of [
      [near, far, 'request', 'up'],
      [far, near, 'response', 'down'],
    ]) {
      this.sockets.add(from)
      from.on('data', (bytes) => take(wire, head, count, bytes))
      from.on('error', () => to.destroy())
      from.on('close', () => this.sockets.delete(from))
      from.pipe(to)
    }
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy()
    this.listener.close()
    await once(this.listener, 'close')
  }
}

/** Counts bytes, those of the head apart. */
function take(wire, head, count, bytes) {
  if (wire[head].endsWith(HEAD_ENDS)) {
    wire[count] += bytes.length
    return
  }
  const text = wire[head] + bytes.toString('latin1')
  const end = text.indexOf(HEAD_ENDS)
  if (end < 0 && text.length > MAX_HEAD_BYTES) throw new Error('a head without an end')
  wire[head] = end < 0 ? text : text.slice(0, end + HEAD_ENDS.length)
  if (end >= 0) wire[count] += text.length - wire[head].length
}
