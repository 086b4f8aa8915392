// The golden vectors of the wire, through the decoder and the encoder in JavaScript.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { core, shim } from './support/bundle.mjs'

const { wire, decodeUtf8, encodeUtf8 } = await core()
const load = (name) => JSON.parse(readFileSync(join(shim, '../protocol/vectors', name), 'utf8')).cases
const ours = (vector) => !vector.only || vector.only.includes('typescript') || vector.only.includes('js')

/** What the decoder hands over, as one object. */
function decode(text) {
  const frames = []
  wire.decode(1, text, {
    push: (_, event, body) => frames.push({ kind: 'push', event, body }),
    reply: (_, uuid, ok, body) => frames.push({ kind: 'reply', uuid, ok, body }),
    ping: (_, raw) => frames.push({ kind: 'ping', raw }),
    other: () => frames.push({ kind: 'other' }),
  })
  assert.equal(frames.length, 1)
  return frames[0]
}

function textOf(input) {
  if (input.parts) return input.parts.map(({ text, times }) => text.repeat(times)).join('')
  return input.hex === undefined ? input.text : decodeUtf8(Uint8Array.from(Buffer.from(input.hex, 'hex')))
}

let seen = 0
for (const vector of load('server-frames.json').filter(ours)) {
  test(`server frame: ${vector.name}`, () => {
    seen++
    const { expect } = vector
    if (expect.error === 'not-utf8') return void assert.throws(() => textOf(vector.input), URIError)
    const frame = decode(textOf(vector.input))
    if (expect.error || expect.kind === 'other') return void assert.equal(frame.kind, 'other')
    if (expect.kind === 'respon') {
      assert.equal(frame.kind, 'reply')
      assert.equal(frame.ok, expect.ok)
      assert.deepEqual(frame.uuid === undefined ? null : frame.uuid, JSON.parse(expect.event))
      assert.deepEqual(frame.body === undefined ? null : frame.body, JSON.parse(expect.data))
    } else if (expect.kind === 'ping') {
      assert.deepEqual(frame, { kind: 'ping', raw: expect.uuid })
    } else {
      assert.equal(frame.kind, 'push')
      assert.equal(frame.event, expect.event)
      if (expect.whole !== undefined) assert.deepEqual(frame.body, JSON.parse(expect.whole))
      else assert.ok(frame.body.msg)
    }
  })
}

for (const vector of load('encode.json').filter(ours)) {
  const { call, event, data, uuid, u, token } = vector
  const calls = {
    request: () => wire.encode(event, data === null ? undefined : data, uuid),
    response: () => wire.encodePong(uuid),
    'login-data': () => JSON.stringify({ u, token }),
  }
  if (!calls[call]) continue
  test(`encode: ${vector.name}`, () => {
    seen++
    assert.equal(calls[call](), vector.wire)
  })
}

for (const vector of load('close-codes.json').filter((vector) => vector.parse !== undefined)) {
  test(`advice: ${vector.name}`, () => {
    seen++
    assert.equal(wire.advice(vector.parse), vector.retry_ms === null ? -1 : vector.retry_ms)
  })
}

test('the vectors were there', () => assert.ok(seen > 50, `only ${seen}`))

test('UTF-8 of our own agrees with the platform on every plane, and refuses what it refuses', () => {
  const platform = { encoder: new TextEncoder(), decoder: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }) }
  let text = ''
  for (let code = 0; code < 0x110000; code += code < 0x3000 ? 1 : 97) {
    if (code < 0xd800 || code > 0xdfff) text += String.fromCodePoint(code)
  }
  assert.deepEqual(Buffer.from(encodeUtf8(text)), Buffer.from(platform.encoder.encode(text)))
  assert.equal(decodeUtf8(platform.encoder.encode(text)), text)
  assert.deepEqual(Buffer.from(encodeUtf8('a\ud800b\udc00')), Buffer.from(platform.encoder.encode('a\ud800b\udc00')))
  let seed = 7
  const random = () => (seed = (seed * 1103515245 + 12345) & 0x7fffffff) / 0x7fffffff
  const edges = [0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff]
  for (let n = 0; n < 20000; n++) {
    const bytes = Uint8Array.from({ length: 1 + Math.floor(random() * 6) }, () => edges[Math.floor(random() * edges.length)])
    let expected
    try {
      expected = platform.decoder.decode(bytes)
    } catch (_) {
      assert.throws(() => decodeUtf8(bytes), URIError, Buffer.from(bytes).toString('hex'))
      continue
    }
    assert.equal(decodeUtf8(bytes), expected)
  }
})
