// Wrong arguments, at every door of the API: a TypeError that names the argument, at once, and nothing changes.
import test from 'node:test'
import assert from 'node:assert/strict'
import { createHeartline, durable, recorder, webHost } from 'heartline'
import { UniSocketPromise } from 'heartline/compat'
import { onPush, provideHeartline } from 'heartline/vue'
import { createFakeUni } from 'heartline/testing'
import { onlineApp } from './support/classic.mjs'
import { both, engine } from './support/engine.mjs'

const refused = (call, name) =>
  assert.throws(call, (error) => {
    assert.ok(error instanceof TypeError, `${name}: ${error}`)
    assert.ok(error.message.startsWith(`heartline: ${name}`), `${error.message} names ${name}`)
    return true
  })

const NO_TEXT = [undefined, null, 5, NaN, true, {}, [], () => {}, Symbol('x'), '']
const NO_FUNCTION = [undefined, null, 5, 'text', {}, []]
const NO_AMOUNT = ['5', NaN, -1, Infinity, 2 ** 31, {}, true]
const nothing = () => {}

async function online(t, more) {
  const fake = createFakeUni()
  const news = []
  const line = createHeartline({ url: 'wss://test', host: fake.host, wasm: engine.wasm, credentials: () => ({ u: 'user:6', token: 't' }), ...more })
  t.after(() => line.destroy())
  line.listen('fatal', ({ error }) => news.push(error))
  line.start()
  await line.loaded
  await fake.advance(500)
  return { fake, line, news }
}

both('on, once, off, listen, request and identity refuse what is none of theirs, and the line goes on', async (t) => {
  const { fake, line, news } = await online(t)
  const heard = []
  line.on('chat1', ({ msg }) => heard.push(msg))
  const before = JSON.stringify(line.diagnostics())
  for (const wrong of NO_TEXT) {
    refused(() => line.on(wrong, nothing), 'pattern')
    refused(() => line.once(wrong, nothing), 'pattern')
    refused(() => line.on(wrong, nothing, { replace: true }), 'pattern')
    if (wrong !== undefined) refused(() => line.off(wrong), 'pattern')
    refused(() => line.listen(wrong, nothing), 'kind')
    refused(() => line.request(wrong, {}), 'event')
  }
  for (const wrong of NO_FUNCTION) {
    refused(() => line.on('chat1', wrong), 'listener')
    refused(() => line.once('chat1', wrong), 'listener')
    refused(() => line.on('chat1', wrong, { replace: true }), 'listener')
    refused(() => line.listen('state', wrong), 'listener')
    if (wrong !== undefined && wrong !== null) refused(() => line.off('chat1', wrong), 'listener')
  }
  refused(() => line.listen('sate', nothing), 'kind: string: state login')
  for (const wrong of [undefined, null, 'user:6', 1]) refused(() => line.identity(wrong), 'present')
  for (const wrong of [null, 5, 'x', nothing]) refused(() => line.request('ask', 1, wrong), 'options')
  for (const timeoutMs of NO_AMOUNT) refused(() => line.request('ask', 1, { timeoutMs }), 'timeoutMs')
  for (const queue of [5, {}, nothing]) refused(() => line.request('ask', 1, { queue }), 'queue')
  for (const signal of [5, 'x', nothing]) refused(() => line.request('ask', 1, { signal }), 'signal')
  assert.equal(JSON.stringify(line.diagnostics()), before)
  fake.server.push({ event: 'chat1', msg: 'still here' })
  await fake.advance(100)
  assert.deepEqual(heard, ['still here'])
  assert.deepEqual([news, line.isLogin], [[], true])
})

both('before the core has loaded the same is thrown, and it loads all the same', async (t) => {
  const fake = createFakeUni()
  const errors = []
  const line = createHeartline({ url: 'wss://test', host: fake.host, wasm: engine.wasm, onListenerError: (error) => errors.push(error) })
  t.after(() => line.destroy())
  for (const wrong of NO_TEXT) refused(() => line.on(wrong, nothing), 'pattern')
  refused(() => line.request(undefined), 'event')
  await line.loaded
  assert.deepEqual([errors, line.diagnostics().listeners], [[], 0])
})

test('createHeartline names the option that is wrong, and makes nothing', () => {
  const fake = createFakeUni()
  const timers = fake.clock.pending
  const make = (more) => () => createHeartline({ url: 'wss://test', host: fake.host, ...more })
  for (const wrong of [undefined, null, 5, 'wss://test']) refused(() => createHeartline(wrong), 'options')
  for (const url of [undefined, null, 5, {}, '', 'example.com', 'https://example.com/ws', 'http://x', '/ws', 'wss://']) {
    refused(make({ url }), 'url: string that begins with wss:// or ws://')
  }
  for (const wrong of [5, 'text', {}, true]) {
    refused(make({ credentials: wrong }), 'credentials')
    refused(make({ onListenerError: wrong }), 'onListenerError')
    refused(make({ durable: wrong }), 'durable')
  }
  // Given uncalled.
  refused(make({ durable }), 'durable')
  refused(make({ recorder }), 'recorder')
  refused(make({ host: webHost }), 'host.connect')
  refused(make({ host: {} }), 'host.connect')
  refused(make({ wasm: 5 }), 'wasm')
  refused(make({ reconnect: 5 }), 'reconnect')
  refused(make({ connectOptions: 'x' }), 'connectOptions')
  for (const wrong of NO_AMOUNT) {
    for (const name of ['heartbeatMs', 'maxEventNames', 'reconnectTime']) refused(make({ [name]: wrong }), name)
    refused(make({ reconnect: { minMs: wrong } }), 'reconnectMinMs')
    refused(make({ reconnect: { maxMs: wrong } }), 'reconnectMaxMs')
  }
  assert.equal(fake.clock.pending, timers)
  for (const more of [{ url: () => '' }, { url: 'WS://x' }, { credentials: null, durable: undefined, heartbeatMs: null, debug: '' }]) make(more)().destroy()
})

test('the options of durable, recorder and webHost', () => {
  for (const device of ['', 'a b', 'x'.repeat(65), 5, {}]) refused(() => durable({ device }), 'device')
  for (const wrong of [null, 5, 'x']) refused(() => durable(wrong), 'options')
  refused(() => durable({ key: 5 }), 'key')
  for (const storage of [5, nothing]) refused(() => durable({ storage }), 'storage')
  refused(() => durable({ storage: { get: nothing } }), 'storage.set')
  for (const maxCalls of NO_AMOUNT) refused(() => recorder({ maxCalls }), 'maxCalls')
  for (const wrong of [5, 'ws', {}]) refused(() => webHost(wrong), 'socketClass')
})

test('a provider that gives nonsense is reported by name; a url function that does, by `disconnect`', async (t) => {
  const errors = []
  const { fake, line } = await online(t, { credentials: () => ({ u: 6, token: 't' }), onListenerError: (error) => errors.push(error.message) })
  assert.equal(errors[0], 'heartline: credentials.u: string expected')
  assert.equal(line.state.phase, 'open')
  const later = await online(t, { credentials: async () => ({ u: 'user:6' }), onListenerError: (error) => errors.unshift(error.message) })
  assert.equal(errors[0], 'heartline: credentials.token: string expected')
  assert.equal(later.line.isLogin, false)
  const why = []
  const third = createHeartline({ url: () => 'https://example.com/?key=secret', host: fake.host })
  t.after(() => third.destroy())
  third.listen('disconnect', ({ reason, errMsg }) => why.push(reason, errMsg))
  third.start()
  await third.loaded
  await fake.advance(500)
  assert.deepEqual(why.slice(0, 2), ['dialFailed', 'TypeError: heartline: url: string that begins with wss:// or ws:// expected'])
})

both('the classic class refuses the same; `uninstall` without a name removes nothing', async (t) => {
  const { fake, server, socket } = await onlineApp(t)
  const heard = []
  socket.on('chat1', ({ msg }) => heard.push(msg))
  for (const wrong of NO_TEXT) {
    refused(() => socket.uninstall(wrong), 'event')
    refused(() => socket.on(wrong, nothing), 'pattern')
    refused(() => socket._send(wrong, {}), 'event')
  }
  for (const wrong of NO_FUNCTION) refused(() => socket.on('chat1', wrong), 'callback')
  for (const wrong of [5, 'x', {}]) refused(() => socket.initSocket(wrong), 'success')
  for (const wrong of [5, 'x']) refused(() => socket._close(wrong), 'option')
  server.push({ event: 'chat1', msg: 'still' })
  await fake.advance(100)
  assert.deepEqual([heard, socket.IsLogin], [['still'], true])
})

test('the classic constructor, and its url, which is looked at when a line is begun', (t) => {
  t.after(createFakeUni().install())
  for (const wrong of [undefined, null, 5]) refused(() => new UniSocketPromise(wrong), 'options')
  refused(() => new UniSocketPromise({ url: 'wss://x', jwt: {} }), 'jwt.getUser')
  refused(() => new UniSocketPromise({ url: 'wss://x', role: 5 }), 'role')
  refused(() => new UniSocketPromise({ url: 'wss://x', heartTime: 'soon' }), 'heartbeatMs')
  // The original's timers took texts of digits.
  const socket = new UniSocketPromise({ reConnectTime: '3000', heartTime: '60000' })
  t.after(() => socket.destroy())
  refused(() => socket.initSocket(), 'url')
  refused(() => socket._connectionLoop(), 'url')
  socket.config.url = 'https://x'
  refused(() => socket._connectionLoop(), 'url')
  socket.config.url = 'wss://x'
  socket._connectionLoop()
})

test('the composables', async (t) => {
  for (const wrong of [undefined, null, 5, {}]) refused(() => provideHeartline(wrong), 'client')
  const { line } = await online(t)
  provideHeartline(line)
  for (const wrong of NO_TEXT) refused(() => onPush(wrong, nothing), 'pattern')
  for (const wrong of NO_FUNCTION) refused(() => onPush('chat1', wrong), 'listener')
})
