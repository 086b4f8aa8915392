// What pages and platforms do to a client at the worst moment, on the modern API.
import assert from 'node:assert/strict'
import { createHeartline, HeartlineError } from 'heartline'
import { createFakeUni } from 'heartline/testing'
import { watch } from './support/classic.mjs'
import { both, engine } from './support/engine.mjs'

async function open(t, { platform, traits, before, ...options } = {}) {
  const fake = createFakeUni({ platform, traits })
  const restore = fake.install()
  if (before) before(fake)
  const line = createHeartline({ url: 'wss://test', wasm: engine.wasm, credentials: () => ({ u: 'user:6', token: 't' }), ...options })
  t.after(() => line.destroy())
  t.after(restore)
  line.start()
  await line.loaded
  return { fake, server: fake.server, line }
}

async function online(t, options) {
  const story = await open(t, options)
  await story.fake.advance(500)
  assert.equal(story.line.isLogin, true)
  return story
}

both('a page calls request inside a push callback, and inside a reply', async (t) => {
  const { fake, server, line } = await online(t)
  server.on('ask', (data) => data.n)
  const answers = []
  line.on('chat1', () => {
    line.request('ask', { n: 1 }).then((data) => {
      answers.push(data.body)
      return line.request('ask', { n: 2 }).then((next) => answers.push(next.body))
    })
  })
  server.push({ event: 'chat1', msg: '' })
  await fake.advance(500)
  assert.deepEqual(answers, [1, 2])
})

both('a page calls everything inside a state callback', async (t) => {
  const { fake, line } = await online(t)
  let calls = 0
  line.listen('state', () => {
    if (calls++ > 20) return
    line.request('x', {}).catch(() => {})
    line.on('chat1', () => {})()
    line.identity(true)
    line.start()
  })
  fake.drop()
  await fake.advance(60000)
  assert.ok(calls > 0)
  assert.equal(line.isLogin, true)
})

both('a throwing callback harms nobody, and is reported', async (t) => {
  const reported = []
  const { fake, server, line } = await online(t, { onListenerError: (error) => reported.push(error.message) })
  const heard = []
  line.on('chat1', () => { throw new Error('first') })
  line.on('chat1', (message) => heard.push(message.msg))
  line.on('*', () => { throw new Error('all') })
  server.push({ event: 'chat1', msg: 'x' })
  await fake.advance(100)
  assert.deepEqual(heard, ['x'])
  assert.deepEqual(reported.sort(), ['all', 'first'])
  assert.equal(line.isLogin, true)
})

both('10,000 requests in one millisecond: each its own reply', async (t) => {
  const { fake, server, line } = await online(t)
  server.on('ask', (data) => data.n)
  const fates = Array.from({ length: 10000 }, (_, n) => watch(line.request('ask', { n })))
  await fake.advance(1000)
  assert.ok(fates.every((fate, n) => fate.state === 'resolved' && fate.value.body === n && fate.count === 1))
  assert.equal(new Set(server.received('ask').map((frame) => frame.uuid)).size, 10000)
})

both('closed while connecting, on every platform: no socket stays', async (t) => {
  for (const platform of ['wechat', 'app', 'alipay', 'douyin', 'h5', 'qq']) {
    for (const closeBeforeOpenIgnored of [false, true]) {
      const { fake, line } = await open(t, { platform, traits: { closeBeforeOpenIgnored } })
      await fake.advance(15)
      line.stop()
      await fake.advance(60000)
      assert.equal(fake.alive.length, 0, platform)
      assert.equal(line.isConnected, false)
      line.start()
      await fake.advance(1000)
      assert.equal(line.isLogin, true, `${platform} comes back when asked`)
      line.destroy()
    }
  }
})

both('an error without a close, and a close without an open: back again', async (t) => {
  for (const failure of ['error-only', 'close-only', 'error-then-close']) {
    const { fake, server, line } = await open(t, { traits: { failure }, before: (fake) => (fake.server.refuseDials = true) })
    await fake.advance(5000)
    assert.equal(line.isConnected && line.isOpen, false)
    server.refuseDials = false
    await fake.advance(60000)
    assert.equal(line.isLogin, true, failure)
    fake.drop()
    await fake.advance(60000)
    assert.equal(line.isLogin, true, failure)
    assert.equal(server.open.length, 1)
    line.destroy()
  }
})

both('a dial that is never answered is given up in time', async (t) => {
  const { fake, server, line } = await open(t, { before: (fake) => (fake.server.ignoreDials = true) })
  await fake.advance(60000)
  assert.ok(fake.sockets.length >= 2, 'tried again')
  assert.ok(fake.alive.length <= 1, 'the former attempts were closed')
  server.ignoreDials = false
  await fake.advance(60000)
  assert.equal(line.isLogin, true)
})

both('late events of dead sockets do nothing, whatever they say', async (t) => {
  const { fake, server, line } = await online(t, { traits: { lateCloseMs: Infinity } })
  const heard = []
  line.on('chat1', (message) => heard.push(message.msg))
  const { listeners } = fake.sockets[0]
  fake.drop()
  await fake.advance(30000)
  assert.equal(line.isLogin, true)
  const tell = (name, event) => listeners[name].forEach((listener) => listener(event))
  tell('open', {})
  tell('message', { data: JSON.stringify({ type: 'app', event: 'chat1', msg: 'from the dead' }) })
  tell('error', { errMsg: 'late' })
  tell('close', { code: 4500, reason: 'late' })
  await fake.advance(30000)
  assert.deepEqual(heard, [])
  assert.equal(line.isLogin, true)
  assert.equal(server.connections.length, 2)
})

both('success is reported for a send that was lost: the request is settled by time, and says that it was sent', async (t) => {
  const { fake, server, line } = await online(t)
  server.on('ask', () => 'answer')
  fake.loseSends(1)
  const lost = watch(line.request('ask', {}, { timeoutMs: 3000 }))
  const kept = watch(line.request('ask', {}, { timeoutMs: 3000 }))
  await fake.advance(1000)
  assert.deepEqual([lost.state, kept.state], ['pending', 'resolved'])
  await fake.advance(3000)
  assert.equal(lost.state, 'rejected')
  assert.ok(lost.value instanceof HeartlineError)
})

both('a lost heartbeat on a half-open line: noticed, replaced, one socket left', async (t) => {
  const { fake, server, line } = await online(t)
  fake.halfOpen()
  await fake.advance(1)
  fake.halfOpen(false)
  await fake.advance(60000)
  assert.equal(server.connections.length, 2)
  assert.equal(line.isLogin, true)
  assert.equal(fake.alive.length, 1)
})

both('background kills the socket and calls it a clean close: back at once on show, without backoff', async (t) => {
  for (const hideCloseCode of [1000, 1001, 1006]) {
    const { fake, line } = await online(t, { traits: { hideCloseCode } })
    fake.hide()
    await fake.advance(60000)
    assert.equal(line.isLogin, false)
    fake.show()
    await fake.advance(200)
    assert.equal(line.isLogin, true, `after ${hideCloseCode}`)
    line.destroy()
  }
})

both('the network returns: back at once, without backoff', async (t) => {
  for (const platform of ['wechat', 'douyin', 'qq']) {
    const { fake, line } = await online(t, { platform })
    fake.network('none')
    await fake.advance(120000)
    assert.equal(line.isLogin, false)
    fake.network('4g')
    await fake.advance(300)
    assert.equal(line.isLogin, true, platform)
    line.destroy()
  }
})

both('hidden and asleep for an hour with a dead line: probed on show, replaced within seconds', async (t) => {
  const { fake, server, line } = await online(t, { platform: 'h5' })
  fake.hide()
  fake.halfOpen()
  await fake.clock.sleep(3600000)
  fake.halfOpen(false)
  fake.show()
  await fake.advance(10000)
  assert.equal(line.isLogin, true)
  assert.equal(fake.alive.length, 1)
  assert.ok(server.connections.length >= 2)
})

both('a terminal close code is not retried', async (t) => {
  const { fake, server } = await online(t)
  server.latest.close(4500, 'kicked')
  await fake.advance(600000)
  assert.equal(fake.sockets.length, 1)
})

both('destroyed in the midst of everything: every promise settled, no timer, no socket', async (t) => {
  const { fake, server, line } = await online(t)
  server.silent = true
  const fates = Array.from({ length: 50 }, () => watch(line.request('ask', {})))
  await fake.advance(10)
  line.destroy()
  await fake.advance(0)
  assert.ok(fates.every((fate) => fate.state === 'rejected' && fate.count === 1))
  assert.equal(fake.alive.length, 0)
  await fake.advance(100000)
  assert.equal(fake.clock.pending, 0)
})
