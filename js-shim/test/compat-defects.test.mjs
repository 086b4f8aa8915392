// The defects of the original, one test each: the shipped class must not have them.
import assert from 'node:assert/strict'
import { classicApp, onlineApp, watch } from './support/classic.mjs'
import { both } from './support/engine.mjs'

both('ids taken from the millisecond clock collide: 10,000 sends in one millisecond each get their own reply', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  server.on('echo', (data) => data.n)
  const fates = Array.from({ length: 10000 }, (_, n) => watch(socket._send('echo', { n })))
  await fake.advance(1000)
  assert.equal(new Set(server.received('echo').map((frame) => frame.uuid)).size, 10000)
  assert.ok(fates.every((fate, n) => fate.state === 'resolved' && fate.value.body === n && fate.count === 1))
})

both('promises are dropped on close: each is settled', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  server.silent = true
  const closed = watch(socket._send('ask', {}))
  await fake.advance(100)
  socket._close()
  await fake.advance(100)
  assert.equal(closed.state, 'rejected')
  await fake.advance(6000)
  const dropped = watch(socket._send('ask', {}))
  fake.drop()
  await fake.advance(100)
  assert.equal(dropped.state, 'rejected')
})

both('promises are dropped on a failed send: settled', async (t) => {
  const { fake, socket } = await onlineApp(t)
  fake.sockets[0].task.send = (call) => call.fail({ errMsg: 'sendSocketMessage:fail' })
  const fate = watch(socket._send('ask', {}))
  await fake.advance(100)
  assert.equal(fate.state, 'rejected')
})

both('promises are dropped when the socket is not open: settled at once', async (t) => {
  const { fake, socket } = await classicApp(t)
  const before = watch(socket._send('ask', {}))
  socket._connectionLoop()
  const dialling = watch(socket._send('ask', {}))
  await fake.advance(0)
  assert.deepEqual([before.state, dialling.state], ['rejected', 'rejected'])
})

both('a reply that never comes: settled by time', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  server.on('ask', () => 'too late')
  server.replyDelayMs = 3600000
  const fate = watch(socket._send('ask', {}))
  await fake.advance(30000)
  assert.equal(fate.state, 'rejected')
})

both('a second _connectionLoop starts a second loop: it changes nothing', async (t) => {
  const { fake, server, socket } = await classicApp(t)
  for (let i = 0; i < 5; i++) socket._connectionLoop()
  await fake.advance(1000)
  socket._connectionLoop()
  fake.drop()
  await fake.advance(30000)
  assert.equal(server.connections.length, 2)
  assert.equal(server.received('login').length, 2)
})

both('handlers throw on a failed send: the answer to a server ping fails and nothing else', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  fake.sockets[0].task.send = () => { throw new Error('not open') }
  server.latest.ping(7)
  await fake.advance(100)
  assert.equal(typeof socket.IsLogin, 'boolean')
  await fake.advance(200000)
  assert.equal(socket.IsLogin, true, 'back on a socket that sends')
})

both('module-level globals allow one instance only: two live side by side', async (t) => {
  const { fake, server, socket, make } = await onlineApp(t)
  const other = { getUser: () => ({ user_id: 7, socket_token: 't7' }) }
  const second = make({ url: 'wss://second', jwt: other })
  await second.loaded
  second._connectionLoop()
  await fake.advance(500)
  const heard = []
  socket.on('chat1', () => heard.push('first'))
  second.on('chat1', () => heard.push('second'))
  server.push({ event: 'chat1', msg: '' }, 'user:7')
  await fake.advance(100)
  assert.deepEqual(heard, ['second'])
  second._close()
  await fake.advance(100)
  assert.deepEqual([socket.IsLogin, second.IsLogin], [true, false])
})

both('the flags contradict one another between connectSocket and onOpen: never', async (t) => {
  const { fake, server, socket, app } = await classicApp(t, { platform: 'app' })
  const contradictions = []
  const look = () => {
    const { IsConnected, IsOpen, IsLogin } = socket
    const open = fake.alive.some((each) => each.phase === 'open')
    if ((IsLogin && !IsOpen) || (IsOpen && !IsConnected)) contradictions.push([IsConnected, IsOpen, IsLogin])
    if (IsOpen && !open) contradictions.push('says open, is not')
  }
  const pass = async (ms) => {
    for (let i = 0; i < ms; i += 5) {
      await fake.advance(5)
      look()
    }
  }
  socket._connectionLoop()
  look()
  await pass(300)
  for (const act of [() => fake.drop(), () => socket._close(), () => server.latest.close(4000), () => (app.globalData.isLogin = false)]) {
    act()
    look()
    await pass(6000)
  }
  assert.deepEqual(contradictions, [])
})

both('login runs again while a login is in flight: one login', async (t) => {
  const { fake, server, socket } = await classicApp(t, { reConnectTime: 500, heartTime: 1000 })
  server.replyDelayMs = 8000
  socket._connectionLoop()
  await fake.advance(9000)
  assert.equal(server.received('login').length, 1)
  assert.equal(socket.IsLogin, true)
})

both("after _close the dead socket's late onClose closes the new one: it does not", async (t) => {
  const { fake, server, socket } = await onlineApp(t, { traits: { lateCloseMs: 8000 } })
  socket._close()
  await fake.advance(6000)
  assert.equal(socket.IsLogin, true)
  await fake.advance(10000)
  assert.equal(socket.IsLogin, true)
  assert.equal(server.connections.length, 2)
})

both('a user switching account keeps the old identity until the next reconnect: relogin on the same socket', async (t) => {
  const { fake, server, jwt } = await onlineApp(t)
  jwt.user_id = 9
  await fake.advance(5000)
  assert.deepEqual(server.received('login').map((frame) => frame.data.u), ['user:6', 'user:9'])
  assert.equal(server.connections.length, 1)
  assert.equal(server.latest.user, 'user:9')
})

both('logging out keeps the session: it ends, and nothing is dialled', async (t) => {
  const { fake, server, socket, app } = await onlineApp(t)
  app.globalData.isLogin = false
  await fake.advance(5000)
  assert.deepEqual([socket.IsLogin, server.open.length], [false, 0])
  await fake.advance(120000)
  assert.equal(fake.sockets.length, 1)
  app.globalData.isLogin = true
  await fake.advance(6000)
  assert.equal(socket.IsLogin, true)
})

both('logged out within the reconnect delay: looked up before the dial, so there is none', async (t) => {
  const { fake, socket, app } = await onlineApp(t)
  socket._close()
  await fake.advance(4990)
  app.globalData.isLogin = false
  await fake.advance(20000)
  assert.equal(fake.sockets.length, 1)
})

both('a half-open link is never noticed: noticed after one heartbeat, and replaced', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  fake.halfOpen()
  await fake.advance(1000)
  fake.halfOpen(false)
  await fake.advance(60000 + 10000 + 5000 + 1000)
  assert.equal(server.connections.length, 2)
  assert.equal(socket.IsLogin, true)
  assert.equal(fake.alive.length, 1)
})

both('slow replies cause repeated logins and toasts: one of each', async (t) => {
  const { fake, server, socket } = await classicApp(t)
  server.replyDelayMs = 6000
  socket._connectionLoop()
  await fake.advance(60000)
  assert.equal(server.received('login').length, 1)
  assert.equal(fake.toasts.length, 1)
})

both('a login reply that comes twice shows one toast', async (t) => {
  const { fake, server } = await onlineApp(t)
  const { uuid } = server.received('login')[0]
  server.latest.sendRaw(JSON.stringify({ type: 'respon', event: uuid, data: { error: 0, body: '登录成功' } }))
  await fake.advance(1000)
  assert.equal(fake.toasts.length, 1)
})

both('a refused token is retried for ever at full pace: ever more slowly', async (t) => {
  const { fake, server, socket } = await classicApp(t, { before: (fake) => (fake.server.acceptLogin = () => false) })
  socket._connectionLoop()
  await fake.advance(10 * 60000)
  const tries = server.received('login').length
  assert.ok(tries >= 2, 'it does not give up')
  assert.ok(tries <= 60, `${tries} logins in ten minutes; the classic pace would be 120`)
  server.acceptLogin = () => true
  await fake.advance(60000)
  assert.equal(socket.IsLogin, true)
  assert.equal(fake.toasts.length, 1)
})

both('a slow getNetworkType leaves ghost sockets: one socket, whatever comes late', async (t) => {
  for (const networkAnswerMs of [1200, 7000, Infinity]) {
    await t.test(`${networkAnswerMs} ms`, async (t) => {
      const { fake, server, socket } = await classicApp(t, { traits: { networkAnswerMs } })
      socket._connectionLoop()
      await fake.advance(1000)
      socket._close()
      await fake.advance(60000)
      assert.equal(socket.IsLogin, true)
      assert.equal(fake.alive.length, 1)
      assert.equal(server.open.length, 1)
      socket.destroy()
      await fake.advance(60000)
      assert.equal(fake.alive.length, 0)
    })
  }
})

both('_close cannot stay closed: destroy can', async (t) => {
  const { fake, socket } = await onlineApp(t)
  const pending = watch(socket._send('nothing', {}))
  socket.destroy()
  await fake.advance(600000)
  assert.equal(pending.state, 'rejected')
  assert.equal(fake.sockets.length, 1)
  assert.equal(fake.alive.length, 0)
  assert.equal(fake.clock.pending, 0, 'no timer is left behind')
  const after = watch(socket._send('ask', {}))
  socket._connectionLoop()
  socket._close()
  socket.on('chat1', () => {})
  socket.destroy()
  await fake.advance(10000)
  assert.equal(after.state, 'rejected', 'and no call on it throws')
})

both("the error event overtakes connectSocket's success and the client wedges: it comes back", async (t) => {
  const { fake, server, socket } = await classicApp(t, { traits: { errorOvertakesSuccess: true, failure: 'error-only' } })
  server.refuseDials = true
  socket._connectionLoop()
  await fake.advance(30000)
  assert.equal(socket.IsConnected, false)
  server.refuseDials = false
  await fake.advance(6000)
  assert.equal(socket.IsLogin, true)
})

both("the network's return is ignored: it brings the line back at once", async (t) => {
  const { fake, socket } = await onlineApp(t, { reConnectTime: 60000 })
  fake.network('none')
  await fake.advance(20000)
  assert.equal(socket.IsConnected, false)
  fake.network('wifi')
  await fake.advance(500)
  assert.equal(socket.IsLogin, true)
})

both('five minutes of bad weather on every platform: never more than one socket, and online in the end', async (t) => {
  for (const platform of ['wechat', 'app', 'alipay', 'douyin', 'h5', 'qq']) {
    await t.test(platform, async (t) => {
      const { fake, server, socket } = await onlineApp(t, { platform })
      const weather = [
        () => fake.drop(),
        () => (fake.hide(), undefined),
        () => fake.show(),
        () => fake.network('none'),
        () => fake.network('4g'),
        () => server.latest.close(1001),
        () => (server.refuseDials = true, fake.drop()),
        () => (server.refuseDials = false),
        () => socket._close(),
        () => fake.halfOpen(),
        () => fake.halfOpen(false),
      ]
      for (let round = 0; round < 33; round++) {
        weather[round % weather.length]()
        await fake.advance(9000)
        assert.ok(fake.alive.length <= 1, `${fake.alive.length} sockets after step ${round % weather.length}`)
      }
      await fake.advance(120000)
      assert.equal(socket.IsLogin, true)
      assert.equal(server.open.length, 1)
    })
  }
})

