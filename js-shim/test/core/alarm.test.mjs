// The core's deadlines on a platform's plain timer, in real time.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { core, wasmBytes } from './support/bundle.mjs'
import { ScriptedHost } from './support/host.mjs'

const { createClient, webHost } = await core()
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

for (const [engine, wasm] of [['wasm', wasmBytes()], ['js', false]]) {
  test(`${engine}: one timer brings the line back, and is silent after the end`, async () => {
    // The web's host, whose timer is the platform's, on scripted sockets.
    const host = new ScriptedHost()
    const real = webHost()
    host.setTimer = real.setTimer
    host.now = real.now
    const waiting = new Set()
    const { setTimeout: set, clearTimeout: clear } = globalThis
    globalThis.setTimeout = (run, ms, ...rest) => {
      const id = set(() => (waiting.delete(id), run()), ms, ...rest)
      waiting.add(id)
      return id
    }
    globalThis.clearTimeout = (id) => (waiting.delete(id), clear(id))
    try {
      const line = createClient({
        url: 'ws://x',
        host,
        wasm,
        reconnectTime: 60,
        heartbeatMs: 80,
        heartbeatGraceMs: 60000,
        credentials: () => ({ u: 'user:1', token: 't' }),
      })
      await line.loaded
      line.start()
      host.last.welcome()
      await new Promise((resolve) => set(resolve, 300))
      assert.ok(host.last.last('ping'), 'the heartbeat rang')
      assert.ok(waiting.size <= 1, 'one timer per client')
      host.last.events.close(1006, '')
      const before = Date.now()
      while (host.sockets.length < 2 && Date.now() - before < 5000) await new Promise((resolve) => set(resolve, 5))
      assert.equal(host.sockets.length, 2)
      assert.ok(Date.now() - before >= 55)
      line.destroy()
      assert.equal(waiting.size, 0, 'no timer outlives the client')
    } finally {
      Object.assign(globalThis, { setTimeout: set, clearTimeout: clear })
    }
    await wait(100)
    assert.equal(host.sockets.length, 2)
  })
}
