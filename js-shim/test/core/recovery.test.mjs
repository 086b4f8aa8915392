// A core that traps: nothing is lost without a word, and the line comes back on a fresh core.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { core, wasmBytes } from './support/bundle.mjs'
import { ScriptedHost, settle } from './support/host.mjs'

const { createClient, recorder } = await core()

/** Runs `work` with a record of every instance that is made meanwhile. */
async function withInstances(work) {
  const made = []
  const instantiate = WebAssembly.instantiate
  WebAssembly.instantiate = (...args) => instantiate(...args).then((result) => (made.push(result.instance), result))
  try {
    return await work(made)
  } finally {
    WebAssembly.instantiate = instantiate
  }
}

/** Damages the memory of an instance, as a bug in it would. */
function damage(instance) {
  const memory = Object.values(instance.exports).find((item) => item instanceof WebAssembly.Memory)
  new Uint8Array(memory.buffer).fill(0xee)
}

test('a trap settles every promise, tells the app, and a fresh core brings the line and its listeners back', () =>
  withInstances(async (instances) => {
    const host = new ScriptedHost()
    const line = createClient({ url: 'ws://x', host, wasm: wasmBytes(), credentials: () => ({ u: 'user:1', token: 't' }) })
    const fatal = []
    const heard = []
    line.listen('fatal', (news) => fatal.push(news))
    line.on('a', (message) => heard.push(message.msg))
    await line.loaded
    line.start()
    host.last.welcome()
    const sent = assert.rejects(line.request('x'), { code: 'sent_unknown' })
    const first = host.last
    damage(instances[0])
    const during = assert.rejects(line.request('y'), { name: 'HeartlineError' })
    await sent
    await during
    assert.equal(fatal.length, 1)
    assert.equal(fatal[0].final, false)
    assert.ok(fatal[0].error instanceof WebAssembly.RuntimeError, String(fatal[0].error))
    assert.notEqual(first.closed, undefined, 'the old socket is closed')
    assert.equal(line.state.phase, 'waiting')
    assert.equal(line.isConnected, false)

    const queued = line.request('later', 1, { queue: true })
    await host.advance(1001)
    await new Promise((resolve) => setTimeout(resolve, 50))
    assert.equal(instances.length, 2)
    assert.equal(host.sockets.length, 2)
    host.last.welcome()
    assert.equal(line.state.phase, 'ready')
    host.last.hear({ type: 'app', event: 'a', msg: 'again' })
    assert.deepEqual(heard, ['again'])
    host.last.reply(host.last.last('later'))
    await queued
    const prefix = (socket) => socket.last('login').uuid.split('-')[0]
    assert.notEqual(prefix(first), prefix(host.last), 'no uuid is ever used twice')
    line.destroy()
  }))

test('a trap on the quick way of a push is no silent one', () =>
  withInstances(async (instances) => {
    const host = new ScriptedHost()
    const line = createClient({ url: 'ws://x', host, wasm: wasmBytes(), credentials: () => ({ u: 'user:1', token: 't' }) })
    const fatal = []
    const heard = []
    line.listen('fatal', (news) => fatal.push(news.error))
    line.on('a', ({ msg }) => heard.push(msg))
    await line.loaded
    line.start()
    host.last.welcome()
    host.last.hear({ type: 'app', event: 'a', msg: 1 })
    const asked = assert.rejects(line.request('x'), { code: 'sent_unknown' })
    damage(instances[0])
    host.last.hear({ type: 'app', event: 'a', msg: 2 })
    await asked
    assert.equal(fatal.length, 1)
    assert.ok(fatal[0] instanceof WebAssembly.RuntimeError)
    assert.notEqual(host.last.closed, undefined)
    await host.advance(1001)
    await new Promise((resolve) => setTimeout(resolve, 50))
    host.last.welcome()
    host.last.hear({ type: 'app', event: 'a', msg: 3 })
    assert.deepEqual(heard, [1, 3])
    line.destroy()
  }))

test('a core that keeps trapping is given up, aloud', () =>
  withInstances(async (instances) => {
    const host = new ScriptedHost()
    const line = createClient({ url: 'ws://x', host, wasm: wasmBytes(), credentials: () => ({ u: 'user:1', token: 't' }) })
    const fatal = []
    line.listen('fatal', (news) => fatal.push(news.final))
    await line.loaded
    line.start()
    for (let n = 0; n < 20 && !fatal.includes(true); n++) {
      damage(instances[instances.length - 1])
      line.disconnect()
      // In steps: the module is loaded in real time, which the scripted clock must not overtake.
      for (let step = 0; step < 40 && instances.length === n + 1 && !fatal.includes(true); step++) {
        await host.advance(1000)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
    }
    assert.deepEqual(fatal, [false, false, false, false, false, false, true])
    assert.deepEqual(line.state, { phase: 'closed', reason: 'failed' })
    await assert.rejects(line.request('x'), { code: 'not_sent' })
    assert.equal(host.sockets_alive().length, 0)
  }))

test('destroyed while the core loads: everything settles, nothing is dialled', async () => {
  const host = new ScriptedHost()
  const line = createClient({ url: 'ws://x', host, wasm: wasmBytes(), credentials: () => null })
  line.start()
  const asked = assert.rejects(line.request('x', 1, { queue: true }), { name: 'HeartlineError' })
  line.destroy()
  await line.loaded
  await asked
  await settle()
  assert.equal(host.sockets_alive().length, 0)
  await assert.rejects(line.request('y'), { code: 'not_sent', reason: 'destroyed' })
  line.start()
  line.stop()
  line.identity(true)
  line.off()
  assert.equal(host.timers.length, 0)
})

test('the trace of a core that trapped is kept beside that of the next', () =>
  withInstances(async (instances) => {
    const host = new ScriptedHost()
    const box = recorder()
    const line = createClient({ url: 'ws://x', host, wasm: wasmBytes(), recorder: box, credentials: () => ({ u: 'user:1', token: 't' }) })
    await line.loaded
    line.start()
    host.last.welcome()
    damage(instances[0])
    await line.request('x').catch(() => {})
    await host.advance(1001)
    await new Promise((resolve) => setTimeout(resolve, 50))
    host.last.welcome()
    const { lives } = JSON.parse(box.trace())
    assert.equal(lives.length, 2)
    const trapped = lives[0].calls.filter(([, , answer]) => answer === null)
    assert.ok(trapped.length > 0, 'the call that trapped has no answer')
    assert.ok(lives[1].calls.length > 5)
    line.destroy()
  }))
