// The standard WebSocket against a real server, and the choice of a platform.
import test from 'node:test'
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { WebSocket, WebSocketServer } from 'ws'
import { createHeartline, detectHost, webHost } from 'heartline'
import { createFakeUni } from 'heartline/testing'
import { recorder, withGlobals } from './support/dial.mjs'

async function serve(t, onConnection) {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' })
  t.after(() => server.close())
  server.on('connection', onConnection)
  await once(server, 'listening')
  return `ws://127.0.0.1:${server.address().port}`
}

const until = async (condition) => {
  for (let i = 0; i < 400 && !condition(); i++) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.ok(condition(), 'it did not happen within two seconds')
}

test('text, bytes and the close code arrive from a real server', async (t) => {
  const url = await serve(t, (peer) => {
    peer.on('message', (data) => {
      peer.send(String(data))
      peer.send(Buffer.from([1, 2, 3]))
      peer.close(4500, 'kicked')
    })
  })
  const log = []
  const socket = webHost(WebSocket).connect(url, {}, recorder(log))
  socket.send('early', (fate) => log.push(fate))
  await until(() => log.includes('open'))
  socket.send('你好', (fate) => log.push(fate))
  await until(() => log.some((line) => line.startsWith('close')))
  socket.send('late', (fate) => log.push(fate))
  assert.deepEqual(log, ['not-sent', 'open', 'accepted', 'message 你好', 'message bytes 1,2,3', 'close 4500 kicked', 'not-sent'])
})

test('protocols are passed on, and our close ends the connection without news', async (t) => {
  const seen = []
  const url = await serve(t, (peer, request) => {
    seen.push(request.headers['sec-websocket-protocol'])
    peer.on('close', (code) => seen.push(code))
  })
  const log = []
  const socket = webHost(WebSocket).connect(url, { protocols: ['a', 'b'] }, recorder(log))
  await until(() => log.includes('open'))
  socket.close(1001, 'leaving')
  await until(() => seen.length === 2)
  assert.deepEqual(seen, ['a,b', 1000])
  assert.deepEqual(log, ['open'])
})

test('closed while connecting: no event, no connection left', async (t) => {
  let open = 0
  const url = await serve(t, (peer) => {
    open++
    peer.on('close', () => open--)
  })
  const log = []
  webHost(WebSocket).connect(url, {}, recorder(log)).close(1000, '')
  await new Promise((resolve) => setTimeout(resolve, 100))
  assert.deepEqual(log, [])
  assert.equal(open, 0)
})

test('nobody listens, or the address is no address: one error, after connect has returned', async () => {
  for (const url of ['ws://127.0.0.1:1', 'not an address']) {
    const log = []
    webHost(WebSocket).connect(url, {}, recorder(log))
    assert.deepEqual(log, [])
    await until(() => log.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
    assert.equal(log.length, 1)
    assert.match(log[0], /^error /)
  }
})

test('no WebSocket at all: the line may be made, as on a server that renders pages; starting it says what is missing', (t) => {
  withGlobals(t, { WebSocket: undefined })
  const line = createHeartline({ url: 'ws://127.0.0.1:1' })
  t.after(() => line.destroy())
  assert.throws(() => line.start(), { name: 'TypeError', message: 'heartline: host: WebSocket function expected' })
  assert.equal(line.state.phase, 'idle')
  globalThis.WebSocket = WebSocket
  line.start()
})

test('a browser tells its return and its network through its own events, until unsubscribed', (t) => {
  const target = () => {
    const listeners = {}
    return {
      listeners,
      addEventListener: (type, listener) => ((listeners[type] = listeners[type] || new Set()).add(listener)),
      removeEventListener: (type, listener) => listeners[type].delete(listener),
      fire: (type) => (listeners[type] || []).forEach((listener) => listener()),
    }
  }
  const document = Object.assign(target(), { visibilityState: 'visible' })
  const window = target()
  withGlobals(t, { document, window, navigator: { onLine: true } })
  const host = webHost(WebSocket)
  const heard = []
  const stops = [host.onVisibility((visible) => heard.push(visible)), host.onNetwork((online) => heard.push(`net ${online}`))]
  document.visibilityState = 'hidden'
  document.fire('visibilitychange')
  document.visibilityState = 'visible'
  document.fire('visibilitychange')
  window.fire('offline')
  window.fire('online')
  host.networkOnline((online) => heard.push(`asked ${online}`))
  stops.forEach((stop) => stop())
  document.fire('visibilitychange')
  window.fire('offline')
  assert.deepEqual(heard, [true, 'net false', 'net true', 'asked true'])
})

test('the platform is found at run time: uni, my, tt, qq, wx, then the standard WebSocket', async (t) => {
  const api = createFakeUni().uni
  const found = {}
  for (const names of [['uni', 'wx'], ['my', 'wx'], ['tt', 'wx'], ['qq', 'wx'], ['wx'], []]) {
    await t.test(names.join('+') || 'none', (t) => {
      withGlobals(t, Object.fromEntries(names.map((name) => [name, api])))
      found[names.join('+')] = detectHost().name
    })
  }
  assert.deepEqual(found, { 'uni+wx': 'uni', 'my+wx': 'my', 'tt+wx': 'tt', 'qq+wx': 'qq', wx: 'wx', '': 'web' })
})

test("a wx without sockets is WeChat's page SDK in a browser", (t) => {
  withGlobals(t, { wx: { config() {} } })
  assert.equal(detectHost().name, 'web')
})
