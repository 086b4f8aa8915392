// permessage-deflate with a real browser at the other end: what is agreed, what the wire carries, what arrives.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Phones } from '../src/phones.js'
import { HeartlineServer, token } from '../src/server.js'
import { Tap } from '../src/tap.js'
import { until } from '../src/until.js'

const MIN_BYTES = 256
const EXTENSION = /^sec-websocket-extensions: *permessage-deflate/im

let server
let tap
let phones

before(async () => {
  server = await HeartlineServer.start(['--deflate-min-bytes', String(MIN_BYTES)])
  tap = await Tap.start(server.port)
  phones = await Phones.start()
})

after(async () => {
  await phones?.stop()
  await tap?.stop()
  await server?.down()
})

/** A page with one WebSocket, logged in as `user:ID` through the tap, and the wire that carries it. */
async function page(id) {
  // Any page of an address of its own will do.
  const phone = await phones.open(`${server.http}/healthz`)
  const login = { event: 'login', data: { u: `user:${id}`, token: token(id) }, uuid: 'l-1' }
  await phone.page.evaluate(
    ([url, login]) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(url)
        Object.assign(globalThis, { socket, pushes: [], replies: [] })
        socket.onopen = () => socket.send(JSON.stringify(login))
        socket.onclose = (event) => reject(new Error(`closed: ${event.code} ${event.reason}`))
        socket.onmessage = ({ data }) => {
          const message = JSON.parse(data)
          if (message.type === 'app') return globalThis.pushes.push(message.msg)
          globalThis.replies.push(message)
          resolve()
        }
      }),
    [tap.ws, login],
  )
  const wire = tap.wires.at(-1)
  const received = () => phone.page.evaluate(() => globalThis.pushes)
  const arrived = (count) => until(`${count} pushes arrived`, async () => (await received()).length >= count)
  return { phone, wire, received, arrived }
}

/** As chats are: the same words again and again. */
function chat(lines) {
  return Array.from({ length: lines }, (_, at) => ({ from: '客服', at, text: `第 ${at} 条：您好，您的订单 ${1000 + at} 已发货。` }))
}

test('the browser offers it, the server takes it, and large pushes come small and whole', async () => {
  const { phone, wire, received, arrived } = await page('1')
  assert.match(wire.request, EXTENSION)
  assert.match(wire.response, EXTENSION)
  assert.match(wire.response, /server_no_context_takeover/, 'a connection keeps no window')
  assert.equal(await phone.page.evaluate(() => globalThis.socket.extensions.startsWith('permessage-deflate')), true)

  const before = wire.down
  const large = chat(800)
  const bytes = Buffer.byteLength(JSON.stringify(large))
  assert.ok(bytes > 50_000)
  for (let round = 0; round < 3; round++) await server.push('chat1', 'user:1', large)
  await arrived(3)
  assert.deepEqual(await received(), [large, large, large])
  const taken = wire.down - before
  assert.ok(taken < (3 * bytes) / 5, `${3 * bytes} bytes of messages took ${taken} on the wire`)
})

test('small ones stay as they are, and both kinds keep their order', async () => {
  const { wire, received, arrived } = await page('2')
  const before = wire.down
  await server.push('chat1', 'user:2', '短')
  await arrived(1)
  const plain = JSON.stringify({ event: 'chat1', to: 'user:2', type: 'app', msg: '短' })
  assert.equal(wire.down - before, 2 + Buffer.byteLength(plain), 'a header of two bytes and the text')

  const mixed = Array.from({ length: 60 }, (_, at) => (at % 3 ? `短 ${at}` : { at, lines: chat(20) }))
  await Promise.all([
    // One at a time to know their order, beside pushes to somebody else.
    (async () => {
      for (const msg of mixed) await server.push('chat1', 'user:2', msg)
    })(),
    ...Array.from({ length: 20 }, () => server.push('chat1', 'user:404', chat(20))),
  ])
  await arrived(1 + mixed.length)
  assert.deepEqual((await received()).slice(1), mixed)
})

test('what the browser sends compressed is understood', async () => {
  const { phone, wire } = await page('3')
  const before = wire.up
  const request = { event: 'ping', data: chat(400), uuid: 'large' }
  await phone.page.evaluate((request) => globalThis.socket.send(JSON.stringify(request)), request)
  const answer = await until('the answer', () => phone.page.evaluate(() => globalThis.replies.find((reply) => reply.event === 'large')))
  assert.equal(answer.data.error, 0)
  const bytes = Buffer.byteLength(JSON.stringify(request))
  assert.ok(wire.up - before < bytes / 5, `${bytes} bytes took ${wire.up - before}`)
})
