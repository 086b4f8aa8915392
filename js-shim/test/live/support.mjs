// A real server, for stories in which nothing is faked: the shipped bundle in Node against the shipped binary.
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import assert from 'node:assert/strict'

const KEY = 'live-test-key'

/** What a classic backend gives its users: md5(id + key). */
export const token = (id) => createHash('md5').update(`${id}${KEY}`).digest('hex')

/** A server on a port of its own, stopped with the test. `restart` kills it the hard way and starts it again. */
export async function startServer(t, flags = []) {
  const binary = process.env.HEARTLINE_SERVER_BIN
  assert.ok(binary && existsSync(binary), 'HEARTLINE_SERVER_BIN must name the heartline-server binary')
  const port = await freePort()
  const base = `http://127.0.0.1:${port}`
  let child
  const start = async () => {
    const args = ['serve', '--listen', `127.0.0.1:${port}`, '--role-key', `user=${KEY}`, '--loopback-push', ...flags]
    if (!flags.includes('--store-path')) args.push('--memory')
    child = spawn(binary, args, { stdio: 'ignore' })
    await until(() => fetch(`${base}/healthz`).then((response) => response.ok, () => false), 'the server to answer /healthz')
  }
  const end = async (signal) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill(signal)
    await gone
  }
  await start()
  t.after(() => end('SIGKILL'))
  return {
    url: `ws://127.0.0.1:${port}/`,
    stop: end,
    start,
    push: async (to, event, msg) => {
      const response = await fetch(base, { method: 'POST', body: new URLSearchParams({ to, event, msg, type: 'app' }) })
      return response.text()
    },
  }
}

/** Waits until `condition` holds; fails with the name of what did not come. */
export async function until(condition, what, ms = 10000) {
  const end = Date.now() + ms
  while (!(await condition())) {
    if (Date.now() > end) assert.fail(`waited ${ms} ms in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
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
