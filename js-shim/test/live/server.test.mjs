// The shipped bundle against the shipped server, over real sockets and real time, on WebAssembly and on its twin.
import assert from 'node:assert/strict'
import { WebSocket } from 'ws'
import { createHeartline, webHost } from 'heartline'
import { UniSocketPromise } from 'heartline/compat'
import { both, engine } from '../support/engine.mjs'
import { withGlobals } from '../support/dial.mjs'
import { startServer, token, until } from './support.mjs'

function device(t, server, id, options = {}) {
  const line = createHeartline({
    url: server.url,
    host: webHost(WebSocket),
    wasm: engine.wasm,
    reconnect: { minMs: 50, maxMs: 500 },
    credentials: () => ({ u: `user:${id}`, token: token(id) }),
    ...options,
  })
  t.after(() => line.destroy())
  const heard = []
  line.on('*', (message) => heard.push(message))
  line.start()
  return { line, heard, online: () => until(() => line.isLogin, `user:${id} to be logged in`) }
}

both('two devices of one user and one of another: only the first two receive', async (t) => {
  const server = await startServer(t)
  const devices = [device(t, server, 6), device(t, server, 6), device(t, server, 7)]
  await Promise.all(devices.map((each) => each.online()))
  assert.equal(await server.push('user:6', 'chat1', '{"a":1}'), 'ok')
  await until(() => devices[0].heard.length && devices[1].heard.length, 'the push')
  const expected = [{ event: 'chat1', msg: { a: 1 }, to: 'user:6', type: 'app' }]
  assert.deepEqual(devices.map((each) => each.heard), [expected, expected, []])
})

both('an event that the server does not know is refused with a reason, and ping is answered', async (t) => {
  const server = await startServer(t)
  const { line, online } = device(t, server, 6)
  await online()
  const refusal = await line.request('no such event', {}).catch((error) => error)
  assert.equal(refusal.code, 'refused')
  assert.equal(refusal.data.error, 1)
  assert.deepEqual(await line.request('ping'), { error: 0, body: 'PING检查连接可用' })
})

both('a wrong token is refused and told; the right one logs in on the same line', async (t) => {
  const server = await startServer(t)
  let given = 'wrong'
  const refused = []
  const { line } = device(t, server, 6, { credentials: () => ({ u: 'user:6', token: given }) })
  line.listen('loginRefused', (data) => refused.push(data))
  await until(() => refused.length, 'the refusal')
  assert.deepEqual(refused[0], { error: 1, body: '出现错误,登录失败' })
  given = token(6)
  line.identity(true)
  await until(() => line.isLogin, 'the login')
})

both('the server is killed, and drained, and comes again: the line is back by itself, and receives', async (t) => {
  const server = await startServer(t)
  const { line, heard, online } = device(t, server, 6)
  await online()
  for (const signal of ['SIGKILL', 'SIGTERM']) {
    await server.stop(signal)
    await until(() => !line.isLogin, 'the loss to be noticed')
    await server.start()
    await online()
    heard.length = 0
    await server.push('user:6', 'user_tabbar', signal)
    await until(() => heard.length === 1, `the push after ${signal}`)
    assert.equal(heard[0].msg, signal)
  }
})

both('server pings keep an otherwise silent line alive beyond the idle close', async (t) => {
  const server = await startServer(t, ['--ping-interval-ms', '250', '--idle-timeout-ms', '2000'])
  const { line, online } = device(t, server, 6, { heartbeatMs: 600000 })
  await online()
  const losses = []
  line.listen('disconnect', (news) => losses.push(news))
  await new Promise((resolve) => setTimeout(resolve, 4500))
  assert.deepEqual(losses, [])
})

both('the classic class: online, switches user on the same line, logs out, is back after a crash', async (t) => {
  const server = await startServer(t)
  const app = { globalData: { isLogin: true } }
  withGlobals(t, { getApp: () => app })
  const jwt = { id: 6, getUser: () => ({ user_id: jwt.id, socket_token: token(jwt.id) }) }
  const socket = new UniSocketPromise({
    url: server.url,
    reConnectTime: 300,
    jwt,
    host: webHost(WebSocket),
    client: { wasm: engine.wasm },
  })
  t.after(() => socket.destroy())
  const heard = []
  socket.on('chat1', (message) => heard.push(message.msg))
  socket._connectionLoop()
  socket._connectionLoop()
  await until(() => socket.IsLogin, 'the login')

  jwt.id = 9
  await until(async () => (await server.push('user:9', 'chat1', 'to nine'), heard.includes('to nine')), 'a push for the new user')
  await server.push('user:6', 'chat1', 'to six')
  await server.push('user:9', 'chat1', 'last')
  await until(() => heard.includes('last'), 'the last push')
  assert.ok(!heard.includes('to six'), 'the old identity is gone')

  app.globalData.isLogin = false
  await until(() => !socket.IsConnected, 'the end of the session')
  app.globalData.isLogin = true
  await until(() => socket.IsLogin, 'the login after the logout')

  await server.stop('SIGKILL')
  await until(() => !socket.IsLogin, 'the loss to be noticed')
  await server.start()
  await until(() => socket.IsLogin, 'the way back')
})
