// The real server binary on a free port of this machine: started, killed, started again on the same port.

import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { serverBinary } from './places.js'
import { start } from './processes.js'

const STARTS_WITHIN_MS = 15_000

/** The key of the role `user` in all tests. */
export const USER_KEY = 'browser-test-key'

/** What a backend's pushes carry: where browsers connect from this machine, a push without a key is refused. */
export const PUSH_KEY = 'browser-test-push-key'
export const PUSH_HEADERS = { authorization: `Bearer ${PUSH_KEY}` }

/** What the backend hands to the user `user:ID`. */
export function token(id) {
  return createHash('md5').update(`${id}${USER_KEY}`).digest('hex')
}

export class HeartlineServer {
  /** Starts a server on a free port, with these options beside the usual. */
  static async start(options = []) {
    const server = new HeartlineServer(await freePort(), options)
    await server.up()
    return server
  }

  constructor(port, options) {
    this.port = port
    this.options = options
    this.child = undefined
    this.output = ''
  }

  get http() {
    return `http://127.0.0.1:${this.port}`
  }

  get ws() {
    return `ws://127.0.0.1:${this.port}`
  }

  /** Starts the process, on the same port as before. */
  async up() {
    const keys = ['--role-key', `user=${USER_KEY}`, '--role-key', `xxx=${USER_KEY}`, '--push-key', PUSH_KEY]
    const memory = this.options.includes('--store-path') ? [] : ['--memory']
    this.child = start(serverBinary(), ['serve', '--listen', `127.0.0.1:${this.port}`, ...keys, ...memory, ...this.options])
    const keep = (text) => (this.output = (this.output + text).slice(-20_000))
    this.child.stdout.on('data', keep)
    this.child.stderr.on('data', keep)
    const deadline = Date.now() + STARTS_WITHIN_MS
    while (!(await this.answers())) {
      if (this.child.exitCode !== null || Date.now() > deadline) {
        throw new Error(`the server did not start on port ${this.port}:\n${this.output}`)
      }
      await sleep(50)
    }
  }

  /** Kills the process: no goodbye to anybody. */
  async down(signal = 'SIGKILL') {
    const child = this.child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }

  /** Pushes as curl and PHP do; resolves with the reply's body. */
  async push(event, to, msg) {
    const form = { event, to, type: 'app', msg: typeof msg === 'string' ? msg : JSON.stringify(msg) }
    const reply = await fetch(this.http, { method: 'POST', headers: PUSH_HEADERS, body: new URLSearchParams(form) })
    const body = await reply.text()
    if (reply.status !== 200) throw new Error(`push answered ${reply.status}: ${body}`)
    return body
  }

  async answers() {
    try {
      return (await fetch(`${this.http}/healthz`)).ok
    } catch {
      return false
    }
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address()
  probe.close()
  await once(probe, 'close')
  return port
}
