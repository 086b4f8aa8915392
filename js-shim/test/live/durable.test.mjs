// Durable streams with nothing faked: the shipped client in Node, the shipped server on its embedded store, kills on both sides.
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHeartline, durable, webHost } from 'heartline'
import { WebSocket } from 'ws'
import { both, engine } from '../support/engine.mjs'
import { startServer, token, until } from './support.mjs'

function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'heartline-live-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** One device, whose storage outlives its lives. */
function device(t, server) {
  const kept = new Map()
  const storage = { get: (key) => kept.get(key), set: (key, value) => void kept.set(key, value) }
  const heard = []
  const gaps = []
  let line
  const live = async (onPush = ({ msg }) => void heard.push(msg)) => {
    line = createHeartline({
      url: server.url,
      host: webHost(WebSocket),
      wasm: engine.wasm,
      reconnectTime: 100,
      durable: durable({ device: 'phone-1', storage }),
      credentials: () => ({ u: 'user:6', token: token(6) }),
      onListenerError: () => {},
    })
    const mine = line
    t.after(() => mine.destroy())
    line.on('chat*', onPush)
    line.listen('gap', (gap) => void gaps.push(gap))
    line.start()
    await until(() => line.isLogin, 'the login')
    return line
  }
  return { heard, gaps, live, kill: () => line.destroy(), get line() { return line } }
}

async function push(server, n, more = {}) {
  try {
    const response = await fetch(`${server.url.replace('ws', 'http')}api/v1/push`, {
      method: 'POST',
      body: JSON.stringify({ to: 'user:6', event: 'chat1', msg: n, id: `push-${n}`, ...more }),
    })
    return response.status === 200
  } catch (_) {
    return false
  }
}

both('the server is killed under load again and again: each stored push is heard once, in order', async (t) => {
  const server = await startServer(t, ['--store-path', folder(t)])
  const phone = device(t, server)
  await phone.live()
  let sent = 0
  let going = true
  const publisher = (async () => {
    while (going) {
      // The same push until it is answered: then it is stored, once.
      while (!(await push(server, sent + 1))) await new Promise((resolve) => setTimeout(resolve, 20))
      sent++
    }
  })()
  for (let round = 0; round < 5; round++) {
    const target = sent + 30
    await until(() => sent >= target, 'the load')
    await server.stop('SIGKILL')
    await server.start()
  }
  going = false
  await publisher
  await until(() => phone.heard.length >= sent, 'all of them', 20000)
  assert.deepEqual(phone.heard, Array.from({ length: sent }, (_, at) => at + 1))
  assert.deepEqual(phone.gaps, [])
})

both('the app is killed at any point: nothing is lost, and only what was in hand repeats', async (t) => {
  const server = await startServer(t, ['--store-path', folder(t)])
  const phone = device(t, server)
  await phone.live()
  const total = 60
  let life = 0
  for (let n = 1; n <= total; n++) {
    assert.ok(await push(server, n))
    if (n % 10 === 5) {
      // Killed between the message and its callback, or within it, or right after.
      phone.kill()
      const inHand = []
      const how = life++ % 3
      await phone.live((message) => {
        if (how === 0) return void phone.heard.push(message.msg)
        inHand.push(message.msg)
        return new Promise(() => {})
      })
      if (how > 0) {
        assert.ok(await push(server, ++n))
        await until(() => inHand.length === 1, 'one in hand')
        phone.kill()
        await phone.live()
      }
    }
  }
  await until(() => phone.heard.length >= total, 'all of them')
  assert.deepEqual(phone.heard, Array.from({ length: total }, (_, at) => at + 1))
})

for (const [by, limits, filler, wait] of [
  ['count', ['--store-max-messages', '5'], '', 0],
  ['bytes', ['--store-max-bytes', '5000'], 'x'.repeat(1000), 0],
  ['age', ['--store-max-age-ms', '1500'], '', 8000],
]) {
  both(`what retention by ${by} took away is a gap with its numbers`, async (t) => {
    const server = await startServer(t, ['--store-path', folder(t), ...limits])
    const phone = device(t, server)
    const numbers = ({ msg }) => void phone.heard.push(msg.n)
    await phone.live(numbers)
    const say = (n) => push(server, { n, filler: n === 1 ? '' : filler }, { id: `push-${n}` })
    assert.ok(await say(1))
    await until(() => phone.heard.length === 1, 'the first')
    phone.kill()
    for (let n = 2; n <= 20; n++) assert.ok(await say(n))
    await new Promise((resolve) => setTimeout(resolve, wait))
    assert.ok(await say(21))
    await phone.live(numbers)
    await until(() => phone.heard.includes(21), 'what is left')
    assert.equal(phone.gaps.length, 1)
    const [{ stream, from, to, reason }] = phone.gaps
    assert.deepEqual([stream, from, reason], ['user:6', 2, 'retention'])
    assert.deepEqual(phone.heard, [1, ...Array.from({ length: 21 - to }, (_, at) => to + 1 + at)])
  })
}

both('a deleted folder is a gap of an epoch', async (t) => {
  const path = folder(t)
  const server = await startServer(t, ['--store-path', path])
  const phone = device(t, server)
  await phone.live()
  assert.ok(await push(server, 1))
  await until(() => phone.heard.length === 1, 'the first')
  await server.stop('SIGKILL')
  rmSync(path, { recursive: true, force: true })
  await server.start()
  await until(() => phone.line.isLogin && phone.gaps.length === 1, 'the gap')
  assert.equal(phone.gaps[0].reason, 'epoch')
  assert.ok(await push(server, 2))
  await until(() => phone.heard.includes(2), 'a push of the new epoch')
  assert.deepEqual(phone.heard, [1, 2])
})
