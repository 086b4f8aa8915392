// Every known trap of the platforms' socket calls, each on a fake that misbehaves in just that way.
import test from 'node:test'
import assert from 'node:assert/strict'
import { myHost, ttHost, uniHost, wxHost } from 'heartline'
import { createFakeUni } from 'heartline/testing'
import { dial, recorder, withGlobals } from './support/dial.mjs'

const frame = (event) => JSON.stringify({ event, uuid: 'x-1' })

for (const platform of ['wechat', 'app', 'alipay', 'douyin', 'h5', 'qq']) {
  test(`${platform}: opens, sends, receives, closes, and tells no more`, async () => {
    const { fake, log, socket, send } = dial({ platform })
    await fake.advance(50)
    send(frame('hello'))
    fake.server.latest.sendRaw('你好')
    await fake.advance(50)
    socket.close(1000, 'bye')
    await fake.advance(5000)
    assert.deepEqual(log.filter((line) => !line.includes('respon')), [
      'open',
      `sent ${frame('hello')}: accepted`,
      'message 你好',
    ])
    assert.equal(fake.server.received('hello').length, 1)
    assert.equal(fake.alive.length, 0)
  })
}

test('connectSocket gives a task only with a callback passed: one is passed', async () => {
  const { fake, log } = dial({ traits: { task: 'with-callback', globalApi: false } })
  await fake.advance(50)
  assert.deepEqual(log, ['open'])
})

test('Alipay gives a task only with multiple: true, through my and through uni', async () => {
  for (const host of [(fake) => myHost(fake.uni), (fake) => uniHost(fake.uni)]) {
    const { fake, log } = dial({ platform: 'alipay', traits: { globalApi: false }, host })
    await fake.advance(50)
    assert.deepEqual(log, ['open'])
  }
})

test('connectSocket answers with a Promise all the same: of the task, of [error, task], of a refusal', async () => {
  const results = {
    task: (task) => Promise.resolve(task),
    pair: (task) => Promise.resolve([null, task]),
    refused: () => Promise.resolve([{ errMsg: 'connectSocket:fail refused' }]),
    rejected: () => Promise.reject(new Error('rejected')),
    empty: () => Promise.resolve(undefined),
  }
  const told = {}
  for (const [name, result] of Object.entries(results)) {
    const fake = createFakeUni({ traits: { task: 'always', globalApi: false } })
    const api = Object.assign({}, fake.uni, { connectSocket: (call) => result(fake.uni.connectSocket(call)) })
    const { log } = dial({ fake, host: () => wxHost(api) })
    await fake.advance(50)
    told[name] = log
  }
  assert.deepEqual(told, {
    task: ['open'],
    pair: ['open'],
    refused: ['error connectSocket:fail refused'],
    rejected: ['error rejected'],
    empty: ['error connectSocket gave no SocketTask'],
  })
})

test('connectSocket throws, or calls fail twice and then complete: one error', async () => {
  const throwing = { connectSocket: () => { throw new Error('invalid url') } }
  const failing = {
    connectSocket(call) {
      call.fail({ errMsg: 'url not in domain list' })
      call.fail({ errMsg: 'again' })
      if (call.complete) call.complete({ errMsg: 'again' })
    },
  }
  const log = []
  uniHost(throwing).connect('wss://test', {}, recorder(log))
  wxHost(failing).connect('wss://test', {}, recorder(log))
  assert.deepEqual(log, [], 'nothing is told before connect has returned')
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(log.sort(), ['error invalid url', 'error url not in domain list'])
})

test('an open event that comes as soon as the handlers are on is not missed', async () => {
  const task = { onMessage() {}, onError() {}, onClose() {}, send() {}, close() {}, onOpen: (listener) => listener({}) }
  const log = []
  ttHost({ connectSocket: () => task }).connect('wss://test', {}, recorder(log))
  assert.deepEqual(log, [], 'nothing is told before connect has returned')
  await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual(log, ['open'])
})

test('all four handlers are attached in the turn of the connect call', () => {
  const attached = []
  const on = (name) => () => attached.push(name)
  const task = { onOpen: on('open'), onMessage: on('message'), onError: on('error'), onClose: on('close'), send() {}, close() {} }
  uniHost({ connectSocket: () => task }).connect('wss://test', {}, recorder([]))
  assert.deepEqual(attached.sort(), ['close', 'error', 'message', 'open'])
})

test('App: an error has no close after it: the error is the end, and the socket is told to go', async () => {
  const { fake, log, send } = dial({ platform: 'app' })
  await fake.advance(50)
  fake.drop()
  await fake.advance(60000)
  send('late')
  assert.deepEqual(log, ['open', 'error connection reset', 'sent late: not-sent'])
  assert.equal(fake.sockets[0].closeCalls, 1)
})

test('WeChat: an error and then its close are one end', async () => {
  const { fake, log } = dial({ platform: 'wechat' })
  await fake.advance(50)
  fake.drop()
  await fake.advance(1000)
  assert.deepEqual(log, ['open', 'error connection reset'])
})

test('a close without an open is the end of the attempt', async () => {
  const { fake, log } = dial({ traits: { failure: 'close-only' }, before: (fake) => (fake.server.refuseDials = true) })
  await fake.advance(1000)
  assert.deepEqual(log, ['close 1006 abnormal closure'])
})

test('readyState is never trusted: CLOSED while connecting (App), OPEN for ever (WeChat)', async () => {
  for (const platform of ['app', 'wechat']) {
    const { fake, log, send } = dial({ platform })
    send('early')
    await fake.advance(50)
    send(frame('now'))
    await fake.advance(50)
    fake.drop()
    await fake.advance(50)
    send('late')
    await fake.advance(50)
    assert.deepEqual(log.filter((line) => line.startsWith('sent')), [
      'sent early: not-sent',
      `sent ${frame('now')}: accepted`,
      'sent late: not-sent',
    ])
    assert.deepEqual(fake.server.latest.garbage, [], 'what was reported as not sent did not leave')
  }
})

test('App: a send that fails and then still leaves has an unknown fate; elsewhere it was not sent', async (t) => {
  const fates = {}
  for (const [platform, globals] of [['app', { plus: {} }], ['wechat', { wx: {} }]]) {
    await t.test(platform, async (t) => {
      withGlobals(t, globals)
      const { fake, log, send } = dial({ platform })
      await fake.advance(50)
      // The platform has noticed the end, its event is still on the way.
      fake.sockets[0].phase = 'closed'
      send('hello')
      await fake.advance(50)
      fates[platform] = [log[log.length - 1], fake.server.latest.garbage]
    })
  }
  assert.deepEqual(fates, { app: ['sent hello: unknown', ['hello']], wechat: ['sent hello: not-sent', []] })
})

test('H5: fail and complete are both called twice: one fate', async (t) => {
  withGlobals(t, { document: {} })
  const { fake, log, send } = dial({ platform: 'h5' })
  await fake.advance(50)
  fake.sockets[0].phase = 'closed'
  send('hello')
  await fake.advance(50)
  assert.deepEqual(log, ['open', 'sent hello: not-sent'])
})

test('a send that throws is a failed send', async (t) => {
  withGlobals(t, { wx: {} })
  const { fake, log, send } = dial()
  await fake.advance(50)
  fake.sockets[0].task.send = () => { throw new Error('boom') }
  send('hello')
  assert.deepEqual(log, ['open', 'sent hello: not-sent'])
})

test('bytes arrive as an ArrayBuffer, a view, base64 (Alipay) or over the bridge (App)', async () => {
  const bytes = new Uint8Array([0, 255, 16, 200, 7])
  for (const platform of ['wechat', 'alipay', 'app']) {
    for (const length of [5, 4, 3]) {
      const { fake, log } = dial({ platform })
      await fake.advance(50)
      fake.server.latest.sendRaw(bytes.slice(0, length).buffer)
      await fake.advance(50)
      assert.deepEqual(log, ['open', `message bytes ${[...bytes.slice(0, length)]}`], platform)
    }
  }
  const { fake, log } = dial()
  await fake.advance(50)
  for (const listener of fake.sockets[0].listeners.message) listener({ data: bytes.subarray(1, 3) })
  assert.deepEqual(log, ['open', 'message bytes 255,16'])
})

test('an event without data is no message', async () => {
  const { fake, log } = dial()
  await fake.advance(50)
  for (const event of [undefined, {}, { data: null }, { data: 7 }, { data: {} }]) {
    for (const listener of fake.sockets[0].listeners.message) listener(event)
  }
  assert.deepEqual(log, ['open'])
})

test('every event told twice is heard once', async () => {
  const { fake, log } = dial({ traits: { doubleEvents: true } })
  await fake.advance(50)
  fake.server.latest.close(4000, 'idle')
  await fake.advance(50)
  assert.deepEqual(log, ['open', 'close 4000 idle'])
})

test('the error of a failed dial overtakes the success of connectSocket', async () => {
  const { fake, log } = dial({ traits: { errorOvertakesSuccess: true }, before: (fake) => (fake.server.refuseDials = true) })
  await fake.advance(1000)
  assert.deepEqual(log, ['error connection refused'])
})

test('a close before the open is ignored by the platform: the socket is closed once it opens', async () => {
  const { fake, log, socket } = dial({ traits: { closeBeforeOpenIgnored: true } })
  socket.close(1000, '')
  assert.equal(fake.alive.length, 1)
  await fake.advance(1000)
  assert.deepEqual(log, [])
  assert.equal(fake.alive.length, 0)
})

test('a socket that lives on after its close is closed again, and its messages go nowhere', async () => {
  const { fake, log, socket } = dial()
  await fake.advance(50)
  const zombie = fake.sockets[0]
  const close = zombie.task.close
  let ignored = 1
  zombie.task.close = (call) => (ignored-- > 0 ? undefined : close(call))
  socket.close(1000, '')
  fake.server.latest.push({ event: 'chat1', msg: 'for the dead' })
  await fake.advance(50)
  assert.deepEqual(log, ['open'])
  assert.equal(fake.alive.length, 0)
})

test('the late close of an old socket does not reach the new one', async () => {
  const fake = createFakeUni({ traits: { lateCloseMs: 3000 } })
  const first = dial({ fake })
  await fake.advance(50)
  first.socket.close(1000, '')
  const second = dial({ fake })
  await fake.advance(10000)
  assert.deepEqual(first.log, ['open'])
  assert.deepEqual(second.log, ['open'])
})

test('App: two dials in one millisecond would share an id: the second waits for the next one', async (t) => {
  const fake = createFakeUni({ platform: 'app' })
  t.after(fake.install())
  const first = dial({ fake })
  const second = dial({ fake })
  const third = dial({ fake })
  third.socket.close(1000, 'changed its mind')
  await fake.advance(100)
  assert.deepEqual([first.log, second.log, third.log], [['open'], ['open'], []])
  assert.notEqual(fake.sockets[0].id, fake.sockets[1].id)
  assert.equal(fake.alive.length, 2)
})

test('a hundred dials, each closed before the next, stay below the limit of five sockets', async () => {
  const fake = createFakeUni({ platform: 'wechat', traits: { lateCloseMs: Infinity } })
  for (let round = 0; round < 100; round++) {
    const { socket, log } = dial({ fake })
    if (round % 3) await fake.advance(50)
    socket.close(1000, '')
    assert.ok(!log.some((line) => line.startsWith('error')), `round ${round}: ${log}`)
    await fake.advance(1)
  }
  assert.equal(fake.alive.length, 0)
})

test('the sixth socket is refused by the platform: an error, not an exception', async () => {
  const fake = createFakeUni({ platform: 'douyin' })
  const attempts = Array.from({ length: 6 }, () => dial({ fake, host: () => ttHost(fake.uni) }))
  await fake.advance(100)
  assert.deepEqual(attempts[5].log, ['error connectSocket:fail exceed max task count'])
})

test('protocols and headers are passed to the platform, which may ignore them', () => {
  const calls = []
  const api = { connectSocket: (call) => (calls.push(call), undefined) }
  wxHost(api).connect('wss://test', { protocols: ['a'], header: { 'x-a': '1' } }, recorder([]))
  wxHost(api).connect('wss://test', {}, recorder([]))
  assert.deepEqual([calls[0].protocols, calls[0].header], [['a'], { 'x-a': '1' }])
  assert.ok(!('protocols' in calls[1]) && !('header' in calls[1]), 'an empty one would break some platforms')
})

test('close codes and reasons pass through, 1000 included', async () => {
  for (const [code, reason] of [[1000, 'interrupted'], [1001, ''], [4005, 'drain retry=1500'], [4500, 'kicked']]) {
    const { fake, log } = dial()
    await fake.advance(50)
    fake.server.latest.close(code, reason)
    await fake.advance(50)
    assert.deepEqual(log, ['open', `close ${code} ${reason}`])
  }
  const { fake, log } = dial({ platform: 'alipay' })
  await fake.advance(50)
  for (const listener of fake.sockets[0].listeners.close) listener({ data: { code: '4500', reason: 'kicked' } })
  assert.deepEqual(log, ['open', 'close 4500 kicked'], 'Alipay wraps it, and numbers may be text')
})

test('our own close uses only codes that every platform lets an app use', async () => {
  for (const [asked, used] of [[1000, 1000], [1001, 1000], [1006, 1000], [3000, 3000], [4000, 4000], [5000, 1000]]) {
    const { fake, socket } = dial()
    await fake.advance(50)
    let seen
    fake.sockets[0].task.close = (call) => (seen = call)
    socket.close(asked, 'r'.repeat(500))
    assert.equal(seen.code, used)
    assert.ok(Buffer.byteLength(seen.reason) <= 123)
  }
})

test('global functions, where there is no task at all: opens, sends, receives, closes', async () => {
  const { fake, log, socket, send } = dial({ traits: { task: 'never' }, host: (fake) => wxHost(fake.uni) })
  await fake.advance(50)
  send(frame('hello'))
  fake.server.latest.sendRaw('hi')
  await fake.advance(50)
  socket.close(1000, '')
  await fake.advance(1000)
  assert.deepEqual(log.filter((line) => !line.includes('respon')), ['open', `sent ${frame('hello')}: accepted`, 'message hi'])
  assert.equal(fake.alive.length, 0)
})

test('global functions: a close before the open does nothing; the socket is closed once it opens', async () => {
  const fake = createFakeUni({ traits: { task: 'never' } })
  const host = () => wxHost(fake.uni)
  const first = dial({ fake, host })
  first.socket.close(1000, '')
  await fake.advance(100)
  assert.equal(fake.alive.length, 0)
  const second = dial({ fake, host })
  await fake.advance(100)
  assert.deepEqual([first.log, second.log], [[], ['open']])
})

test('global functions: the close of the old socket does not end the new one', async () => {
  const fake = createFakeUni({ traits: { task: 'never', lateCloseMs: 10 } })
  const host = () => wxHost(fake.uni)
  const first = dial({ fake, host })
  await fake.advance(50)
  first.socket.close(1000, '')
  const second = dial({ fake, host })
  await fake.advance(100)
  assert.deepEqual([first.log, second.log], [['open'], ['open']])
  fake.drop()
  await fake.advance(100)
  assert.deepEqual(second.log, ['open', 'error connection reset'])
})

test('no task and no global functions (Douyin): an error, not silence', async () => {
  const { fake, log } = dial({ traits: { task: 'never', globalApi: false } })
  await fake.advance(50)
  assert.deepEqual(log, ['error connectSocket gave no SocketTask'])
})

test('success is reported for a send that was lost: accepted is all that is claimed', async () => {
  const { fake, log, send } = dial()
  await fake.advance(50)
  fake.loseSends(1)
  send(frame('lost'))
  send(frame('kept'))
  await fake.advance(50)
  assert.ok(log.includes(`sent ${frame('lost')}: accepted`))
  assert.deepEqual(fake.server.received().map((each) => each.event), ['kept'])
})

test('WeChat kills sockets five seconds after hide and calls it 1000: passed on as it is', async () => {
  const { fake, log } = dial({ platform: 'wechat', traits: { hideCloseCode: 1000 } })
  await fake.advance(50)
  fake.hide()
  await fake.advance(4000)
  assert.deepEqual(log, ['open'])
  await fake.advance(2000)
  assert.deepEqual(log, ['open', 'close 1000 interrupted'])
})
