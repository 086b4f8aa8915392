// The classic class as its pages know it: the public surface of the original, on the shipped bundle.
import test from 'node:test'
import assert from 'node:assert/strict'
import defaultExport, { UniSocketPromise } from 'heartline/compat'
import { createFakeUni } from 'heartline/testing'
import { classicApp, onlineApp, watch } from './support/classic.mjs'

test('the class is the default export and a named one', () => {
  assert.equal(defaultExport, UniSocketPromise)
})

test('constructed synchronously, with the classic defaults', async (t) => {
  const { socket } = await classicApp(t)
  const { url, debug, reConnectTime, heartTime } = socket.config
  assert.deepEqual({ url, debug, reConnectTime, heartTime }, { url: 'wss://test', debug: false, reConnectTime: 5000, heartTime: 60000 })
  assert.deepEqual([socket.IsConnected, socket.IsOpen, socket.IsLogin], [false, false, false])
})

test('usable before the module has loaded: loop, callbacks and flags in the very turn of onLaunch', async (t) => {
  const fake = createFakeUni({ globalData: { isLogin: true } })
  t.after(fake.install())
  const socket = new UniSocketPromise({ url: 'wss://test', jwt: { getUser: () => ({ user_id: 6, socket_token: 't' }) } })
  t.after(() => socket.destroy())
  const heard = []
  socket.on('chat1', (message) => heard.push(message.msg))
  socket._connectionLoop()
  const early = watch(socket._send('early', {}))
  await socket.loaded
  await fake.advance(500)
  fake.server.push({ event: 'chat1', msg: 'hi' })
  await fake.advance(100)
  assert.equal(socket.IsLogin, true)
  assert.deepEqual(heard, ['hi'])
  assert.equal(early.state, 'rejected', 'a send before the open is settled, not dropped')
})

test('_connectionLoop dials at once, logs in on open, and shows the toast', async (t) => {
  const { fake, server, socket } = await classicApp(t)
  socket._connectionLoop()
  await fake.advance(200)
  assert.equal(socket.IsLogin, true)
  assert.deepEqual(server.received('login').map((frame) => frame.data), [{ u: 'user:6', token: 'token-6' }])
  assert.deepEqual(fake.toasts, [{ title: '上线成功', icon: 'none', duration: 2000 }])
})

test('the toast is shown after each login, once', async (t) => {
  const { fake } = await onlineApp(t)
  fake.drop()
  await fake.advance(6000)
  assert.equal(fake.toasts.length, 2)
  await fake.advance(600000)
  assert.equal(fake.toasts.length, 2)
})

test('the role before the id, and the toast, can be configured', async (t) => {
  const { fake, server } = await onlineApp(t, { role: 'xxx', toast: false })
  assert.equal(server.received('login')[0].data.u, 'xxx:6')
  assert.deepEqual(fake.toasts, [])
})

test('jwt comes from the option, the class, globalData or a global, in this order', async (t) => {
  const source = (name) => ({ getUser: () => ({ user_id: name, socket_token: 't' }) })
  const logins = []
  const places = [
    ['option', (fake, jwt) => (jwt.user_id = 'option')],
    ['class', () => (UniSocketPromise.jwt = source('class'))],
    ['globalData', (fake) => (fake.app.globalData.jwt = source('globalData'))],
    ['global', () => (globalThis.jwt = source('global'))],
  ]
  for (const [name, before] of places) {
    await t.test(name, async (t) => {
      t.after(() => {
        UniSocketPromise.jwt = undefined
        delete globalThis.jwt
      })
      const { fake, server, socket } = await classicApp(t, { before })
      if (name !== 'option') socket.config.jwt = undefined
      socket._connectionLoop()
      await fake.advance(500)
      logins.push(server.received('login')[0].data.u)
    })
  }
  assert.deepEqual(logins, places.map(([name]) => `user:${name}`))
})

test('isLogin false: no connection attempt; soon after it turns true: online', async (t) => {
  const { fake, socket, app } = await classicApp(t, { isLogin: false })
  socket._connectionLoop()
  await fake.advance(60000)
  assert.equal(fake.sockets.length, 0)
  app.globalData.isLogin = true
  await fake.advance(5000)
  assert.equal(socket.IsLogin, true)
})

test('getApp() is not there yet in onLaunch, or throws: online as soon as it is', async (t) => {
  for (const early of [() => undefined, () => { throw new Error('too early') }]) {
    const { fake, socket, app } = await classicApp(t, {})
    globalThis.getApp = early
    socket._connectionLoop()
    await fake.advance(50)
    assert.equal(fake.sockets.length, 0)
    globalThis.getApp = () => app
    await fake.advance(1000)
    assert.equal(socket.IsLogin, true)
    socket.destroy()
  }
})

test('no network: no dial until there is one', async (t) => {
  const { fake, socket } = await classicApp(t, { before: (fake) => fake.network('none') })
  socket._connectionLoop()
  await fake.advance(20000)
  assert.equal(fake.sockets.length, 0)
  fake.network('wifi')
  await fake.advance(500)
  assert.equal(socket.IsLogin, true)
})

test('a promise resolves with the data of the reply, or is rejected with it', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  server.on('ask', (data) => ({ asked: data }))
  server.on('refuse', () => { throw '不可以' })
  const asked = watch(socket._send('ask', { a: 1 }))
  const refused = watch(socket._send('refuse', {}))
  await fake.advance(200)
  assert.deepEqual([asked.state, asked.value], ['resolved', { error: 0, body: { asked: { a: 1 } } }])
  assert.deepEqual([refused.state, refused.value], ['rejected', { error: 1, body: '不可以' }])
})

test('a promise without a reply is rejected with an error of the same shape', async (t) => {
  const { socket, fake } = await classicApp(t)
  const fate = watch(socket._send('ask', {}))
  await fake.advance(0)
  assert.equal(fate.state, 'rejected')
  assert.equal(fate.value.error, 1)
  assert.equal(typeof fate.value.body, 'string')
  assert.ok(fate.value instanceof Error)
})

test('on gets the whole message and replaces the former callback; uninstall removes it', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  const heard = []
  socket.on('chat1', () => heard.push('former'))
  socket.on('chat1', (message) => heard.push(message))
  const message = { event: 'chat1', msg: { a: [1] }, to: 'user:6', extra: 'x' }
  server.push(message)
  await fake.advance(100)
  assert.deepEqual(heard, [{ type: 'app', ...message }])
  socket.uninstall('chat1')
  server.push(message)
  await fake.advance(100)
  assert.equal(heard.length, 1)
})

test('a byte-order mark is skipped, and what is not JSON is ignored', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  const heard = []
  socket.on('chat1', (message) => heard.push(message.msg))
  for (const text of ['not json', '', '[]', 'null', '7', '{"event":', '\ufeff{"type":"app","event":"chat1","msg":"marked"}']) {
    server.latest.sendRaw(text)
  }
  await fake.advance(100)
  assert.deepEqual(heard, ['marked'])
  assert.equal(socket.IsLogin, true)
})

test('an exception in a callback breaks neither the socket nor the next callback', async (t) => {
  const { fake, server, socket } = await onlineApp(t, { client: { onListenerError() {} } })
  const heard = []
  socket.on('chat1', () => { throw new Error('from the page') })
  socket.on('chat2', (message) => heard.push(message.msg))
  server.push({ event: 'chat1', msg: 1 })
  server.push({ event: 'chat2', msg: 2 })
  await fake.advance(100)
  assert.deepEqual(heard, [2])
  assert.equal(socket.IsLogin, true)
})

test('the server ping is answered at once, with its own uuid', async (t) => {
  const { fake, server } = await onlineApp(t)
  server.latest.ping(1700000000001)
  await fake.advance(50)
  assert.deepEqual(server.received('response').map((frame) => frame.uuid), [1700000000001])
})

test('a heartbeat every heartTime', async (t) => {
  const { fake, server } = await onlineApp(t, { heartTime: 60000 })
  await fake.advance(5 * 60000 + 1000)
  const pings = server.received('ping').length
  assert.ok(pings >= 4 && pings <= 5, `${pings} heartbeats in five minutes`)
})

test('a heartbeat refused because the server has forgotten us: logged in again, without a new socket', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  server.latest.user = undefined
  await fake.advance(90000)
  assert.equal(server.received('login').length, 2)
  assert.equal(server.connections.length, 1)
  assert.equal(socket.IsLogin, true)
})

test('initSocket dials once and calls success when the socket is open; without the loop it stays closed', async (t) => {
  const { fake, socket } = await classicApp(t)
  let opened = 0
  socket.initSocket(() => { opened += socket.IsOpen ? 1 : 100 })
  assert.equal(opened, 0)
  await fake.advance(500)
  assert.equal(opened, 1)
  socket.initSocket(() => opened++)
  assert.equal(opened, 2, 'already open')
  fake.drop()
  await fake.advance(60000)
  assert.equal(fake.sockets.length, 1)
  assert.equal(socket.IsConnected, false)
})

test('initSocket again after _close dials again; each waiting success is called once, also beside one that throws', async (t) => {
  const { fake, socket } = await classicApp(t, { client: { onListenerError() {} } })
  const called = []
  socket.initSocket(() => { throw new Error('from the page') })
  socket.initSocket(() => called.push('second'))
  await fake.advance(500)
  assert.deepEqual(called, ['second'])
  socket._close()
  await fake.advance(500)
  assert.equal(socket.IsConnected, false)
  socket.initSocket(() => called.push('third'))
  await fake.advance(500)
  assert.deepEqual(called, ['second', 'third'])
  assert.equal(socket.IsLogin, true)
})

test('_close calls back as uni.closeSocket does, and the loop brings the line back', async (t) => {
  const { fake, socket } = await onlineApp(t)
  const called = []
  socket._close({ code: 1000, success: () => called.push('success'), complete: () => called.push('complete') })
  assert.deepEqual(called, ['success', 'complete'])
  await fake.advance(1000)
  assert.equal(socket.IsConnected, false)
  await fake.advance(5000)
  assert.equal(socket.IsLogin, true)
})

test('the url may change: the next dial reads it', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  socket.config.url = 'wss://other'
  fake.drop()
  await fake.advance(6000)
  assert.equal(server.latest.url, 'wss://other')
})

test('Vue 2 may walk over the instance in data(): the client is not enumerable', async (t) => {
  const { socket } = await classicApp(t)
  const seen = Object.keys(socket)
  assert.ok(seen.includes('config'))
  assert.ok(!seen.includes('client') && !seen.includes('host'))
})
