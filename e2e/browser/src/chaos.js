// A proxy that treats its connections badly: cuts, resets in the middle of a frame, stalls, half-open lines, refused dials. What it does is
// drawn from a seed; when it does it is the machine's.

import { createServer, connect } from 'node:net'
import { once } from 'node:events'

/** How long a stalled or half-open line stays so. */
const STALL_MS = [200, 1_500]
const HALF_OPEN_MS = [3_000, 6_000]

export class Chaos {
  static async start(port, seed) {
    const chaos = new Chaos(port, seed)
    chaos.listener = createServer((client) => chaos.accept(client))
    chaos.listener.listen(0, '127.0.0.1')
    await once(chaos.listener, 'listening')
    chaos.port = chaos.listener.address().port
    return chaos
  }

  constructor(target, seed) {
    this.target = target
    this.state = seed >>> 0 || 1
    this.pairs = new Set()
    this.raging = false
    /** How often each fault was done. */
    this.done = {}
  }

  get ws() {
    return `ws://127.0.0.1:${this.port}/`
  }

  /** A number from 0 up to `bound`, by the seed. */
  draw(bound) {
    // xorshift32
    this.state ^= this.state << 13
    this.state ^= this.state >>> 17
    this.state ^= this.state << 5
    return (this.state >>> 0) % bound
  }

  between([least, most]) {
    return least + this.draw(most - least)
  }

  accept(client) {
    if (this.raging && this.draw(8) === 0) {
      this.count('refused')
      return client.resetAndDestroy()
    }
    const server = connect(this.target, '127.0.0.1')
    const pair = { client, server, deaf: false, breaks: false }
    this.pairs.add(pair)
    const end = () => {
      this.pairs.delete(pair)
      client.destroy()
      server.destroy()
    }
    for (const [from, to] of [[client, server], [server, client]]) {
      from.on('data', (chunk) => this.forward(pair, to, chunk, end))
      from.on('error', () => {})
      from.on('close', end)
    }
  }

  forward(pair, to, chunk, end) {
    if (pair.deaf) return
    if (pair.breaks && chunk.length > 1) {
      // In the middle of a frame, or of its header.
      to.write(chunk.subarray(0, 1 + this.draw(chunk.length - 1)), () => {
        pair.client.resetAndDestroy()
        pair.server.resetAndDestroy()
        end()
      })
      pair.deaf = true
      return
    }
    to.write(chunk)
  }

  /** Does something bad, now and again, until `calm`. */
  rage() {
    this.raging = true
    const next = () => {
      this.timer = setTimeout(() => {
        this.strike()
        next()
      }, this.between([100, 700]))
    }
    next()
  }

  /** From now on everything passes; what was half-open is ended. */
  calm() {
    this.raging = false
    clearTimeout(this.timer)
    for (const { client, server, deaf } of this.pairs) {
      client.resume()
      server.resume()
      if (deaf) client.destroy()
    }
  }

  stop() {
    this.calm()
    for (const { client } of this.pairs) client.destroy()
    this.listener.close()
  }

  strike() {
    const pairs = [...this.pairs].filter((pair) => !pair.deaf && !pair.breaks)
    if (pairs.length === 0) return
    const pair = pairs[this.draw(pairs.length)]
    const kind = ['cut', 'reset', 'middle', 'stall', 'half-open'][this.draw(5)]
    this.count(kind)
    const { client, server } = pair
    if (kind === 'cut') client.destroy()
    else if (kind === 'reset') client.resetAndDestroy()
    else if (kind === 'middle') pair.breaks = true
    else if (kind === 'stall') {
      client.pause()
      server.pause()
      setTimeout(() => {
        client.resume()
        server.resume()
      }, this.between(STALL_MS))
    } else {
      pair.deaf = true
      setTimeout(() => client.destroy(), this.between(HALF_OPEN_MS))
    }
  }

  count(kind) {
    this.done[kind] = (this.done[kind] || 0) + 1
  }
}
