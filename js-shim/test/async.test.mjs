// Callbacks that are `async` and reject: all of it reaches `onListenerError`, and the process lives. (Node's test runner fails a
// test in which a rejection is unhandled.)
import test from 'node:test'
import assert from 'node:assert/strict'
import { createHeartline } from 'heartline'
import { UniSocketPromise } from 'heartline/compat'
import { onPush, provideHeartline } from 'heartline/vue'
import { createFakeUni } from 'heartline/testing'
import { onlineApp } from './support/classic.mjs'
import { both, engine } from './support/engine.mjs'

/** An async callback that rejects with its own name. */
const rejecting = (name) => async () => {
  throw new Error(name)
}
const breath = () => new Promise((resolve) => setImmediate(resolve))

async function online(t, more) {
  const fake = createFakeUni()
  const errors = []
  const onListenerError = (error) => void errors.push(error.message)
  const line = createHeartline({ url: 'wss://test', host: fake.host, wasm: engine.wasm, credentials: () => ({ u: 'user:6', token: 't' }), onListenerError, ...more })
  t.after(() => line.destroy())
  await line.loaded
  return { fake, line, errors }
}

both('listeners of pushes and of news, once, the provider, and the reporter itself', async (t) => {
  let asked = 0
  const reported = []
  const { fake, line } = await online(t, {
    credentials: () => (asked++ ? { u: 'user:6', token: 't' } : rejecting('provider')()),
    debug: rejecting('debug'),
    // Rejects as well: there is nobody left to tell.
    onListenerError: async (error) => {
      reported.push(error.message)
      throw error
    },
  })
  line.on('chat1', rejecting('on'))
  line.on('*', rejecting('all'))
  line.once('chat1', rejecting('once'))
  line.listen('login', rejecting('login'))
  provideHeartline(line)
  onPush('chat*', rejecting('vue'))
  line.start()
  await fake.advance(30000)
  assert.equal(line.isLogin, true)
  fake.server.push({ event: 'chat1', msg: '' })
  await fake.advance(100)
  await breath()
  for (const name of ['provider', 'login', 'on', 'all', 'once', 'vue', 'debug']) assert.ok(reported.includes(name), name)
})

both('a thenable that is none: what its `then` throws is reported too', async (t) => {
  const { fake, line, errors } = await online(t)
  line.on('chat1', () => ({ then() { throw new Error('then') } }))
  line.on('chat1', () => ({ get then() { throw new Error('getter') } }))
  line.start()
  await fake.advance(500)
  fake.server.push({ event: 'chat1', msg: '' })
  await fake.advance(100)
  assert.deepEqual(errors.sort(), ['getter', 'then'])
})

both('the classic class: pushes, the openers of `initSocket` before and after the open, the callbacks of `_close`', async (t) => {
  const errors = []
  const { fake, server, socket } = await onlineApp(t, { client: { onListenerError: (error) => void errors.push(error.message) } })
  socket.on('chat1', rejecting('on'))
  socket.initSocket(rejecting('open already'))
  server.push({ event: 'chat1', msg: '' })
  await fake.advance(100)
  socket._close({ success: rejecting('success'), complete: rejecting('complete') })
  socket.initSocket(rejecting('opened later'))
  await fake.advance(20000)
  await breath()
  assert.deepEqual(errors.sort(), ['complete', 'on', 'open already', 'opened later', 'success'])
  assert.equal(socket.IsLogin, true)
})

test('the classic class: a `getUser` that rejects is asked each second, and harms nobody', async (t) => {
  const fake = createFakeUni({ globalData: { isLogin: true } })
  t.after(fake.install())
  const errors = []
  const onListenerError = (error) => void errors.push(error.message)
  const socket = new UniSocketPromise({ url: 'wss://test', jwt: { getUser: rejecting('getUser') }, client: { onListenerError } })
  t.after(() => socket.destroy())
  socket._connectionLoop()
  await socket.loaded
  await fake.advance(5000)
  await breath()
  assert.ok(errors.length > 0 && errors.every((message) => message === 'getUser'), errors.join())
})
