// Durable streams in the client, by the shipped module and by its JavaScript build alike.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { core, shim, wasmBytes } from './support/bundle.mjs'
import { ScriptedHost, settle } from './support/host.mjs'

const { createClient, durable, wire } = await core()
const EPOCH = '00000000000000fe'

/** A storage that outlives its clients. */
function memory() {
  const kept = new Map()
  return { kept, get: (key) => kept.get(key), set: (key, value) => void kept.set(key, value) }
}

for (const [engine, wasm] of Object.entries({ wasm: wasmBytes(), js: false })) {
  const story = (name, run) => test(`${engine}: ${name}`, run)

  /** A client that is logged in, and attached at `at`. */
  async function attached({ storage = memory(), at = 0, epoch = EPOCH, device = 'phone-1', before = () => {}, host = new ScriptedHost(), ...options } = {}) {
    const line = createClient({
      url: 'wss://test',
      credentials: () => ({ u: 'user:6', token: 'secret' }),
      wasm,
      host,
      durable: durable({ device: device || undefined, storage }),
      onListenerError: () => {},
      ...options,
    })
    const heard = []
    line.on('chat*', (message) => void heard.push(message.msg))
    before(line)
    await line.loaded
    assert.equal(line.engine, engine)
    line.start()
    host.last.welcome()
    if (at !== null) host.last.hear({ type: '$hl', at: ['user:6', epoch, at] })
    return { host, line, storage, heard }
  }

  /** Waits for the second dial. */
  const dialled = async (host) => {
    while (host.sockets.length < 2) await host.advance(100)
  }
  const stored = (host, offset, more = {}) =>
    host.last.hear({ type: 'app', event: 'chat1', msg: offset, ...more, $hl: ['user:6', offset] })
  const said = (host) => host.last.last('login').data.$hl
  const acks = (host) => host.last.frames.filter((frame) => frame.event === '$hl:ack').map((frame) => frame.data['user:6'])

  story('a position outlives the app, and what comes twice is heard once', async () => {
    const first = await attached({ at: 40 })
    assert.deepEqual(said(first.host), { v: 1, device: 'phone-1', at: {} })
    for (const offset of [41, 42, 42, 41]) stored(first.host, offset)
    assert.deepEqual(first.heard, [41, 42])
    await first.host.advance(200)
    assert.deepEqual(acks(first.host), [42])
    first.line.destroy()

    const second = await attached({ storage: first.storage, at: 42 })
    assert.deepEqual(said(second.host).at, { 'user:6': [EPOCH, 42, 42] })
    stored(second.host, 43)
    assert.deepEqual(second.heard, [43])
    second.line.destroy()
  })

  story('a device without a name makes one up, and keeps it', async () => {
    const storage = memory()
    const first = await attached({ storage, device: null })
    const { device } = said(first.host)
    assert.match(device, /^[a-z0-9]{20}$/)
    first.line.destroy()
    const second = await attached({ storage, device: null })
    assert.equal(said(second.host).device, device)
    second.line.destroy()
    const other = await attached({ device: null })
    assert.notEqual(said(other.host).device, device)
    other.line.destroy()
  })

  story('a promise is waited for, one message at a time, and the position follows', async () => {
    const answers = []
    const { host, line, storage } = await attached({
      before: (line) => line.on('*', () => new Promise((resolve) => answers.push(resolve))),
    })
    for (const offset of [1, 2, 3]) stored(host, offset)
    await settle()
    assert.equal(answers.length, 1)
    const position = () => JSON.parse(storage.kept.get('heartline:main')).at['user:6']
    assert.deepEqual(position(), [EPOCH, 0])
    answers[0]()
    await settle()
    assert.deepEqual(position(), [EPOCH, 1])
    assert.equal(answers.length, 2)
    // The app is killed here: the second is in hand, the third was never handed over.
    line.destroy()
    answers[1]()
    await settle()
    assert.deepEqual(position(), [EPOCH, 1])
    const again = await attached({ storage, at: 1 })
    assert.deepEqual(said(again.host).at, { 'user:6': [EPOCH, 1, 1] })
    for (const offset of [2, 3]) stored(again.host, offset)
    assert.deepEqual(again.heard, [2, 3])
    again.line.destroy()
  })

  story('a throw or a rejection leaves the position; after five the message is poisonous', async () => {
    const seen = []
    const poisoned = []
    const { host, line } = await attached({
      before(line) {
        line.on('*', ({ msg }) => {
          seen.push(msg)
          if (msg === 1) throw new Error('never')
          return msg === 2 && seen.length < 8 ? Promise.reject(new Error('not yet')) : undefined
        })
        line.listen('poisoned', ({ stream, offset, message }) => poisoned.push([stream, offset, message.msg]))
      },
    })
    for (const offset of [1, 2, 3]) stored(host, offset)
    for (const ms of [500, 1000, 2000, 4000]) await host.advance(ms)
    assert.deepEqual(poisoned, [['user:6', 1, 1]])
    assert.deepEqual(seen, [1, 1, 1, 1, 1, 2])
    await host.advance(10000)
    assert.deepEqual(seen, [1, 1, 1, 1, 1, 2, 2, 2, 3])
    assert.deepEqual(acks(host).pop(), 3)
    line.destroy()
  })

  story('a callback of one call is done with once it has done well', async () => {
    let calls = 0
    const { host, line } = await attached({
      before: (line) =>
        line.once('*', () => {
          if (++calls === 1) throw new Error('not yet')
        }),
    })
    stored(host, 1)
    await host.advance(500)
    stored(host, 2)
    await host.advance(500)
    assert.equal(calls, 2)
    line.destroy()
  })

  story('a lost line keeps what waits, and the next login says what is held', async () => {
    const answers = []
    const { host, line } = await attached({
      before: (line) => line.on('*', () => new Promise((resolve) => answers.push(resolve))),
    })
    for (const offset of [1, 2]) stored(host, offset)
    host.last.events.close(1006, '')
    await dialled(host)
    host.last.welcome()
    assert.deepEqual(said(host).at, { 'user:6': [EPOCH, 2, 0] })
    host.last.hear({ type: '$hl', at: ['user:6', EPOCH, 2] })
    answers[0]()
    await settle()
    answers[1]()
    await settle()
    await host.advance(200)
    assert.deepEqual(acks(host), [2])
    assert.equal(line.diagnostics().payloads, 0)
    line.destroy()
  })

  story('gaps are heard in their place, and waited for', async () => {
    const gaps = []
    let answer
    const { host, line, heard } = await attached({
      at: 3,
      before: (line) => line.listen('gap', (gap) => new Promise((resolve) => (gaps.push(gap), (answer = resolve)))),
    })
    stored(host, 4)
    host.last.hear({ type: '$hl', gap: ['user:6', EPOCH, 5, 8, 'retention'] })
    stored(host, 9)
    assert.deepEqual(heard, [4])
    assert.deepEqual(gaps, [{ stream: 'user:6', epoch: EPOCH, from: 5, to: 8, reason: 'retention' }])
    answer()
    await settle()
    assert.deepEqual(heard, [4, 9])
    const other = '00000000000000ff'
    host.last.hear({ type: '$hl', gap: ['user:6', other, 1, 0, 'epoch'] })
    stored(host, 1)
    assert.deepEqual(gaps[1], { stream: 'user:6', epoch: other, from: 1, to: 0, reason: 'epoch' })
    answer()
    await settle()
    assert.deepEqual(heard, [4, 9, 1])
    line.destroy()
  })

  story('where nobody listens to gaps they are passed, and told of in the log only', async () => {
    const lines = []
    const { host, line, heard } = await attached({ debug: (text) => lines.push(text) })
    host.last.hear({ type: '$hl', gap: ['user:6', EPOCH, 1, 2, 'retention'] })
    stored(host, 3)
    assert.deepEqual(heard, [3])
    assert.ok(lines.some((text) => text.includes('gap {"stream":"user:6"')))
    line.destroy()
  })

  story('offsets and turns are as large as 32 bits are', async () => {
    const storage = memory()
    const { host, line, heard } = await attached({ storage, at: 4294967293 })
    for (const offset of [4294967294, 4294967295]) stored(host, offset)
    assert.deepEqual(heard, [4294967294, 4294967295])
    await host.advance(200)
    assert.deepEqual(acks(host), [4294967295])
    line.destroy()
    const again = await attached({ storage, at: 4294967295 })
    assert.deepEqual(said(again.host).at, { 'user:6': [EPOCH, 4294967295, 4294967295] })
    again.line.destroy()
  })

  story('ten thousand stored pushes in one tick are handled in order, without growing the stack', async () => {
    const { host, line, heard } = await attached()
    for (let offset = 1; offset <= 10000; offset++) stored(host, offset)
    assert.equal(heard.length, 10000)
    assert.deepEqual(heard.slice(-2), [9999, 10000])
    await host.advance(200)
    assert.equal(acks(host).pop(), 10000)
    assert.ok(acks(host).length < 400, `${acks(host).length} acknowledgements`)
    assert.equal(line.diagnostics().payloads, 0)
    line.destroy()
  })

  story('a storage whose promises reject is told of, and leaves no rejection to the process', async () => {
    const errors = []
    const storage = {
      get: async () => {
        throw new Error('async get')
      },
      set: async () => {
        throw new Error('async set')
      },
    }
    const { host, line, heard } = await attached({ storage, before: (line) => line.listen('storage', ({ error }) => errors.push(error.message)) })
    stored(host, 1)
    await host.advance(200)
    await settle()
    assert.deepEqual([heard, line.isLogin], [[1], true])
    assert.match(errors[0], /storage\.get must give the text at once/)
    assert.ok(errors.includes('async set'), errors.join())
    line.destroy()
  })

  for (const [how, refuse] of Object.entries({
    throws: () => {
      throw new Error('quota')
    },
    rejects: () => Promise.reject(new Error('quota')),
  })) {
    story(`what a storage that ${how} does not have is not acknowledged, by no login either, until it has it`, async () => {
      const errors = []
      const storage = memory()
      const { set } = storage
      const before = (line) => line.listen('storage', ({ error }) => errors.push(error.message))
      const { host, line, heard } = await attached({ storage, before })
      const position = () => JSON.parse(storage.kept.get('heartline:main')).at['user:6'][1]
      stored(host, 1)
      await host.advance(200)
      storage.set = refuse
      for (const offset of [2, 3]) stored(host, offset)
      await host.advance(500)
      assert.deepEqual([heard, position(), acks(host)], [[1, 2, 3], 1, [1]])
      assert.ok(errors.includes('quota'), 'the app is told')
      host.last.events.close(1006, '')
      await dialled(host)
      host.last.welcome()
      assert.deepEqual(said(host).at, { 'user:6': [EPOCH, 3, 1] }, 'received up to 3, stored up to 1')
      host.last.hear({ type: '$hl', at: ['user:6', EPOCH, 3] })
      await host.advance(5000)
      assert.deepEqual([position(), acks(host)], [1, []])
      storage.set = set
      // Nothing new comes: it is tried again all the same.
      await host.advance(16000)
      assert.deepEqual([position(), acks(host)], [3, [3]])
      line.destroy()
    })
  }

  story('a storage that takes its time is waited for, and one that answers behind a destroyed client does nothing', async () => {
    const storage = memory()
    const waiting = []
    const { host, line, heard } = await attached({ storage })
    storage.set = () => new Promise((resolve) => waiting.push(resolve))
    stored(host, 1)
    await host.advance(1000)
    assert.deepEqual([heard, acks(host)], [[1], []])
    waiting.shift()()
    await host.advance(200)
    assert.deepEqual(acks(host), [1])
    stored(host, 2)
    line.destroy()
    waiting.shift()()
    await settle()
    assert.deepEqual(acks(host), [1])
  })

  story('a late answer of the storage for a user who made room says nothing of the user who came instead', async () => {
    const waiting = []
    const storage = Object.assign(memory(), { set: () => new Promise((resolve) => waiting.push(resolve)) })
    let user = 1
    const { host, line, heard } = await attached({ storage, at: null, credentials: () => ({ u: `user:${user}`, token: 'secret' }) })
    // The made-up name of the device is no position.
    const all = async () => (waiting.splice(0).forEach((resolve) => resolve()), await settle())
    await all()
    const stand = (at) => host.last.hear({ type: '$hl', at: [`user:${user}`, EPOCH, at] })
    const own = (offset) => host.last.hear({ type: 'app', event: 'chat1', msg: offset, $hl: [`user:${user}`, offset] })
    stand(8)
    await all()
    own(9)
    const late = waiting.pop()
    assert.deepEqual([heard, waiting.length], [[9], 0])
    for (user = 2; user <= 65; user++) {
      line.identity(true)
      host.last.reply(host.last.last('login'))
      stand(0)
      if (user < 65) await all()
    }
    user = 65
    own(9)
    await host.advance(300)
    late()
    await host.advance(300)
    assert.deepEqual(heard, [9, 9])
    assert.equal(host.last.last('$hl:ack'), undefined, 'the storage has answered nothing for user:65')
    await all()
    await host.advance(300)
    assert.deepEqual(host.last.last('$hl:ack').data, { 'user:65': 9 })
    line.destroy()
  })

  story('in one life the 65th user gets stored pushes too: the user whose position is the oldest makes room, aloud', async () => {
    const errors = []
    const storage = memory()
    let user = 1
    const { host, line, heard } = await attached({
      storage,
      at: null,
      credentials: () => ({ u: `user:${user}`, token: 'secret' }),
      before: (line) => line.listen('storage', ({ error }) => errors.push(error.message)),
    })
    const push = async (offset, stream = `user:${user}`) => {
      host.last.hear({ type: '$hl', at: [stream, EPOCH, offset - 1] })
      host.last.hear({ type: 'app', event: 'chat1', msg: `${stream} ${offset}`, $hl: [stream, offset] })
      await host.advance(200)
    }
    const login = (next) => {
      user = next
      line.identity(true)
      const frame = host.last.last('login')
      host.last.reply(frame)
      return frame.data.$hl.at
    }
    const acked = () => host.last.last('$hl:ack').data
    await push(1)
    for (let next = 2; next <= 64; next++) {
      login(next)
      await push(1)
    }
    assert.deepEqual(errors, [])
    // The first is seen again: the second is now the oldest.
    assert.equal(Object.keys(login(1)).length, 64)
    await push(2)
    for (const next of [65, 66]) {
      login(next)
      await push(1)
      assert.deepEqual([heard[heard.length - 1], acked()], [`user:${next} 1`, { [`user:${next}`]: 1 }])
    }
    assert.deepEqual(errors.map((text) => text.slice(text.indexOf(': user'))), [': user:2 made room for user:65', ': user:3 made room for user:66'])
    const kept = JSON.parse(storage.kept.get('heartline:main')).at
    assert.equal(Object.keys(kept).length, 64)
    assert.deepEqual([kept['user:1'][1], kept['user:2'], kept['user:66'][1]], [2, undefined, 1])
    // Who made room begins anew, and nothing of the next holder of the number counts for them.
    assert.equal(login(2)['user:2'], undefined)
    await push(9)
    assert.deepEqual([heard[heard.length - 1], acked()], ['user:2 9', { 'user:2': 9 }])
    line.destroy()
  })

  story('a storage that throws or holds nonsense is told of, and nothing stops', async () => {
    const errors = []
    const listening = (line) => line.listen('storage', ({ error }) => errors.push(error.message))
    const full = {
      get: () => undefined,
      set() {
        throw new Error('quota')
      },
    }
    const first = await attached({ storage: full, before: listening })
    stored(first.host, 1)
    assert.deepEqual(first.heard, [1])
    assert.ok(errors.includes('quota'))
    first.line.destroy()
    for (const nonsense of ['{', '[]', '{"device":"a b","at":{}}', '{"device":"a","at":{"user:6":["fe",1]}}', '{"device":"a","at":{"user:6":7}}']) {
      errors.length = 0
      const storage = memory()
      storage.set('heartline:main', nonsense)
      const { host, line, heard } = await attached({ storage, before: listening })
      assert.equal(errors.length, 1, nonsense)
      stored(host, 1)
      assert.deepEqual(heard, [1])
      assert.deepEqual(JSON.parse(storage.kept.get('heartline:main')).at, { 'user:6': [EPOCH, 1] })
      line.destroy()
    }
  })

  story('a server that knows no streams leaves all as it was', async () => {
    const { host, line, heard } = await attached({ at: null })
    host.last.hear({ type: 'app', event: 'chat1', msg: 'plain' })
    assert.deepEqual(heard, ['plain'])
    line.destroy()
  })

  story('without streams, what is said of them does nothing, and such a push is a push', async () => {
    const { host, line, heard } = await attached({ durable: undefined, at: 5 })
    assert.equal(said(host), undefined)
    stored(host, 6)
    stored(host, 6)
    assert.deepEqual(heard, [6, 6])
    await host.advance(1000)
    assert.deepEqual(acks(host), [])
    line.destroy()
  })


  story('an idempotent request is sent again with its id when the line is lost', async () => {
    const { host, line } = await attached()
    const asked = line.request('buy', { of: 'tea' }, { idempotent: true })
    const lost = assert.rejects(line.request('look'), { code: 'sent_unknown' })
    const first = host.last.last('buy')
    host.last.events.close(1006, '')
    await lost
    await dialled(host)
    host.last.welcome()
    const second = host.last.last('buy')
    assert.deepEqual(second, first)
    host.last.reply(second, 0, { body: 'yours' })
    assert.equal((await asked).body, 'yours')
    line.destroy()
  })

  story('a hidden app says so where streams are', async () => {
    let see
    const host = Object.assign(new ScriptedHost(), { onVisibility: (listener) => ((see = listener), () => {}) })
    const { line } = await attached({ host, at: null })
    see(false)
    see(true)
    assert.equal(host.last.last('$hl:park'), undefined)
    host.last.hear({ type: '$hl', at: ['user:6', EPOCH, 0] })
    see(false)
    assert.deepEqual(host.last.last('$hl:park'), { event: '$hl:park' })
    see(true)
    assert.deepEqual(host.last.last('$hl:show'), { event: '$hl:show' })
    line.destroy()
  })
}

// What the server says of streams, by the golden vectors.
const { cases } = JSON.parse(readFileSync(join(shim, '../protocol/vectors/durable.json'), 'utf8'))
for (const { name, input, expect } of cases.filter((vector) => vector.input && vector.input.text)) {
  test(`vector: ${name}`, () => {
    const fed = []
    const feed = (...numbers) => fed.push(numbers)
    const room = {
      host: { now: () => 0, storage: memory() },
      machine: { feed },
      exchange: { keep: () => 1 },
      link: {},
      user: () => 'user:6',
      tell() {},
      log() {},
    }
    const streams = durable({ device: 'a' })(room)
    let plain = 0
    wire.decode(1, input.text, {
      push: (epoch, event, body) => streams.stored(epoch, body) || plain++,
      notice: (epoch, body) => streams.notice(epoch, body),
      other: () => feed(OTHER, 1),
      reply: () => assert.fail('no reply'),
      ping: () => assert.fail('no ping'),
    })
    const { kind, offset, from, to, reason } = expect
    if (kind === 'attached') assert.deepEqual(fed, [[ATTACHED, 1, 0, offset]])
    else if (kind === 'gap') assert.deepEqual(fed, [[reason === 'epoch' ? GAP_EPOCH : GAP, 1, 0, from, to]])
    else if (kind === 'push' && expect.stream) assert.deepEqual(fed, [[DURABLE, 1, 0, offset, 1]])
    else if (kind === 'push') assert.deepEqual([fed, plain], [[], 1])
    else assert.deepEqual(fed, [[OTHER, 1]])
  })
}

// What the device says, by the golden vectors: a client is brought to say it.
const said = JSON.parse(readFileSync(join(shim, '../protocol/vectors/durable-encode.json'), 'utf8')).cases
for (const { name, call, u, token, device, at, stream, offset, event, wire: text } of said.filter(({ call }) => call !== 'accepted')) {
  test(`vector: ${name}`, async () => {
    const storage = memory()
    const positions = at && Object.fromEntries(Object.entries(at).map(([name, [epoch, , handled]]) => [name, [epoch, handled]]))
    if (at) storage.set('heartline:main', JSON.stringify({ device, at: positions }))
    let see
    const host = Object.assign(new ScriptedHost(), { onVisibility: (listener) => ((see = listener), () => {}) })
    const credentials = () => ({ u: u || 'user:6', token: token || 't' })
    const line = createClient({ url: 'ws://x', host, wasm: wasmBytes(), credentials, durable: durable({ storage }) })
    await line.loaded
    line.start()
    host.last.welcome()
    if (call === 'login') {
      // A device that has just begun holds what it has handled.
      const both = JSON.parse(text)
      for (const position of Object.values(both.$hl.at)) position[1] = position[2]
      assert.equal(JSON.stringify(host.last.last('login').data), JSON.stringify(both))
    } else if (call === 'ack') {
      host.last.hear({ type: '$hl', at: [stream, EPOCH, offset - 1] })
      host.last.hear({ type: 'app', event: 'chat1', msg: 1, $hl: [stream, offset] })
      await host.advance(200)
      assert.equal(host.last.sent.pop(), text)
    } else {
      host.last.hear({ type: '$hl', at: ['user:6', EPOCH, 0] })
      see(false)
      if (event === '$hl:show') see(true)
      assert.ok(host.last.sent.includes(text))
    }
    line.destroy()
  })
}
const [OTHER, ATTACHED, DURABLE, GAP, GAP_EPOCH] = [14, 23, 24, 25, 26]
