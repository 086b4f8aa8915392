// The client on a scripted host, by the shipped module and by its JavaScript build alike.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { core, wasmBytes } from './support/bundle.mjs'
import { ScriptedHost, settle } from './support/host.mjs'

const { createClient, HeartlineError } = await core()
const ENGINES = { wasm: wasmBytes(), js: false }

for (const [engine, wasm] of Object.entries(ENGINES)) {
  const story = (name, run) => test(`${engine}: ${name}`, run)

  const fails = (promise, expected) =>
    assert.rejects(promise, (error) => {
      assert.ok(error instanceof HeartlineError && error instanceof Error)
      for (const key of Object.keys(expected)) assert.deepEqual(error[key], expected[key], key)
      return true
    })

  async function client(options = {}) {
    const host = options.host || new ScriptedHost()
    const line = createClient({
      url: 'wss://test',
      credentials: () => ({ u: 'user:6', token: 'secret' }),
      wasm,
      ...options,
      host,
    })
    await line.loaded
    assert.equal(line.engine, engine)
    return { host, line }
  }

  async function ready(options) {
    const made = await client(options)
    made.line.start()
    made.host.last.welcome()
    assert.equal(made.line.state.phase, 'ready')
    return made
  }

  story('commands given before the core has loaded are carried out in order', async () => {
    const host = new ScriptedHost()
    const heard = []
    const line = createClient({ url: () => 'wss://late', host, wasm, credentials: async () => ({ u: 'user:6', token: 't' }) })
    line.on('chat*', (message) => heard.push(message.msg))
    const asked = line.request('early', { a: 1 }, { queue: true })
    line.start()
    assert.equal(host.sockets.length, 0)
    await line.loaded
    assert.equal(host.last.url, 'wss://late')
    host.last.events.open()
    await settle()
    assert.deepEqual(host.last.last('login').data, { u: 'user:6', token: 't' })
    host.last.welcome()
    assert.equal(line.isLogin, true)
    const frame = host.last.last('early')
    assert.deepEqual(frame.data, { a: 1 })
    host.last.reply(frame, 0, { answer: 42 })
    assert.equal((await asked).answer, 42)
    host.last.hear({ type: 'app', event: 'chat1', msg: 'hello' })
    assert.deepEqual(heard, ['hello'])
    line.destroy()
  })

  story('the uuid is a random prefix and a number, unlike that of any other client', async () => {
    const uuids = new Set()
    for (let n = 0; n < 20; n++) {
      const { host, line } = await ready(n % 2 ? {} : { host: Object.assign(new ScriptedHost(), { randomBytes: undefined }) })
      const { uuid } = host.last.last('login')
      assert.match(uuid, /^[0-9a-z]{20,}-\d+$/)
      uuids.add(uuid.split('-')[0])
      line.destroy()
    }
    assert.equal(uuids.size, 20)
  })

  story('ten thousand requests in one tick: every one has its own uuid and its own answer', async () => {
    const { host, line } = await ready()
    const asked = []
    for (let n = 0; n < 10000; n++) asked.push(line.request('count', { n }))
    const frames = host.last.frames.filter((frame) => frame.event === 'count')
    assert.equal(frames.length, 10000)
    assert.equal(new Set(frames.map((frame) => frame.uuid)).size, 10000)
    for (const frame of frames.reverse()) host.last.reply(frame, 0, { n: frame.data.n })
    const answers = await Promise.all(asked)
    answers.forEach((answer, n) => assert.equal(answer.n, n))
    line.destroy()
  })

  story('each failure of a request has its code', async () => {
    const { host, line } = await ready({ requestTimeoutMs: 5000 })
    const refused = line.request('a')
    host.last.reply(host.last.last('a'), 1, { body: 'no' })
    await fails(refused, { code: 'refused', data: { error: 1, body: 'no' } })

    const late = line.request('b')
    const waits = fails(late, { code: 'timed_out', sent: true })
    await host.advance(5001)
    await waits

    const abort = new AbortController()
    const cancelled = fails(line.request('c', 1, { signal: abort.signal }), { code: 'cancelled' })
    abort.abort()
    await cancelled
    await fails(line.request('d', 1, { signal: AbortSignal.abort() }), { code: 'cancelled', sent: false })

    host.last.fate = 'not-sent'
    await fails(line.request('e'), { code: 'not_sent', reason: 'socket' })
    line.destroy()

  })

  story('each failure of a request has its code, lost sends and the outbox', async () => {
    const { host, line } = await ready()
    const circle = {}
    circle.self = circle
    await fails(line.request('g', circle), { code: 'not_sent' })

    const unsure = await ready()
    unsure.host.last.fate = 'unknown'
    await fails(unsure.line.request('f'), { code: 'sent_unknown' })
    unsure.line.destroy()

    const lost = fails(line.request('h'), { code: 'sent_unknown' })
    host.last.events.close(1006, '')
    await lost
    await fails(line.request('i'), { code: 'not_sent', reason: 'not ready' })

    const kept = fails(line.request('j', 1, { queue: 'badge' }), { code: 'not_sent', reason: 'superseded' })
    const dropped = []
    line.listen('outboxDropped', (news) => dropped.push(news))
    const latest = line.request('j', 2, { queue: 'badge' })
    await kept
    assert.deepEqual(dropped, [{ event: 'j', reason: 'superseded' }])
    const ended = fails(latest, { code: 'cancelled' })
    line.destroy()
    await ended
    await fails(line.request('k'), { code: 'not_sent', reason: 'destroyed' })
  })

  story('callbacks may send, unsubscribe and throw', async () => {
    const errors = []
    const { host, line } = await ready({ onListenerError: (error) => errors.push(error.message) })
    const heard = []
    line.on('a', () => {
      throw new Error('page bug')
    })
    const off = line.on('a', () => {
      heard.push('second')
      line.request('from a callback').catch(() => {})
      off()
      offThird()
    })
    const offThird = line.on('a', () => heard.push('third'))
    line.once('a', () => heard.push('once'))
    host.last.hear({ type: 'app', event: 'a' })
    host.last.hear({ type: 'app', event: 'a' })
    assert.deepEqual(heard, ['second', 'once'])
    assert.deepEqual(errors, ['page bug', 'page bug'])
    assert.equal(host.last.frames.filter((frame) => frame.event === 'from a callback').length, 1)
    line.destroy()
  })

  story('exact, prefix and catch-all listeners; the classic replacing; off', async () => {
    const { host, line } = await ready()
    const heard = []
    line.on('chat1', () => heard.push('exact'))
    line.on('chat*', () => heard.push('prefix'))
    line.on('*', () => heard.push('all'))
    line.on('chat1', () => heard.push('replaced'), { replace: true })
    host.last.hear({ type: 'app', event: 'chat1' })
    assert.deepEqual(heard.sort(), ['all', 'prefix', 'replaced'])
    heard.length = 0
    line.off('chat*')
    line.off('*')
    host.last.hear({ type: 'app', event: 'chat1' })
    assert.deepEqual(heard, ['replaced'])
    line.off()
    host.last.hear({ type: 'app', event: 'chat1' })
    assert.deepEqual(heard, ['replaced'])
    line.destroy()
  })

  story('text with a byte-order mark, bytes, garbage and bytes that are not UTF-8', async () => {
    const { host, line } = await ready()
    const heard = []
    line.on('*', (message) => heard.push(message.msg))
    host.last.hear('\ufeff{"type":"app","event":"a","msg":1}')
    host.last.hear('not json')
    host.last.hear('[1]')
    host.last.hear(new TextEncoder().encode('{"type":"app","event":"聊天","msg":"😀"}').buffer)
    host.last.hear(new Uint8Array([0x7b, 0xff]).buffer)
    host.last.hear('{"type":"app","event":"a","msg":2}')
    assert.deepEqual(heard, [1, '😀', 2])
    line.destroy()
  })

  story('a server ping is answered in its own spelling', async () => {
    const { host, line } = await ready()
    for (const raw of ['3', '1.10', '9007199254740993', '"a"']) {
      host.last.hear(`{"type":"ping","uuid":${raw}}`)
      assert.equal(host.last.sent[host.last.sent.length - 1], `{"event":"response","uuid":${raw}}`)
    }
    line.destroy()
  })

  story('event names beyond the table still arrive', async () => {
    const { host, line } = await ready({ maxEventNames: 4 })
    let heard = 0
    line.on('e*', () => heard++)
    for (let n = 0; n < 100; n++) host.last.hear({ type: 'app', event: `e${n}` })
    assert.equal(heard, 100)
    line.destroy()
  })

  story('lost lines come back; news of dead sockets is nothing', async () => {
    const { host, line } = await ready({ reconnect: { minMs: 100, maxMs: 200 } })
    const logins = []
    line.listen('login', (news) => logins.push(news.again))
    const first = host.last
    first.events.error('boom')
    assert.equal(line.state.phase, 'waiting')
    assert.ok(line.state.retryInMs <= 200)
    await host.advance(250)
    assert.equal(host.sockets.length, 2)
    first.events.close(1006, '')
    first.events.open()
    first.hear({ type: 'app', event: 'a' })
    assert.equal(line.state.phase, 'connecting')
    host.last.welcome()
    assert.deepEqual(logins, [true])
    line.destroy()
    assert.equal(host.sockets_alive().filter((socket) => socket !== first).length, 0)
  })

  story('the server\'s advice is followed, a terminal code ends it', async () => {
    const { host, line } = await ready()
    host.last.events.close(4005, 'draining; retry=1500')
    assert.deepEqual({ ...line.state, until: 0 }, { phase: 'waiting', attempt: 1, retryInMs: 1500, until: 0, reason: 'advised' })
    await host.advance(1499)
    assert.equal(host.sockets.length, 1)
    await host.advance(2)
    assert.equal(host.sockets.length, 2)
    host.last.welcome()
    host.last.events.close(4500, 'kicked')
    assert.deepEqual(line.state, { phase: 'closed', reason: 'remote', code: 4500 })
    await host.advance(100000)
    assert.equal(host.sockets.length, 2)
    line.destroy()
  })

  story('an unanswered heartbeat ends a half-open line', async () => {
    const { host, line } = await ready({ heartbeatMs: 1000, heartbeatGraceMs: 500 })
    const reasons = []
    line.listen('disconnect', (news) => reasons.push(news.reason))
    await host.advance(1001)
    assert.ok(host.last.last('ping'))
    await host.advance(600)
    assert.deepEqual(reasons, ['dead'])
    assert.notEqual(host.sockets[0].closed, undefined)
    line.destroy()
  })

  story('a network question answered late, or never, leaves no ghost socket', async () => {
    const host = new ScriptedHost()
    const answers = []
    host.networkOnline = (answer) => answers.push(answer)
    const { line } = await client({ host, dialTimeoutMs: 2000, reconnect: { minMs: 100, maxMs: 100 } })
    line.start()
    assert.equal(host.sockets.length, 0)
    await host.advance(2001)
    await host.advance(101)
    assert.equal(answers.length, 2)
    answers[0](true)
    assert.equal(host.sockets.length, 0)
    answers[1](true)
    answers[1](true)
    assert.equal(host.sockets.length, 1)
    host.last.welcome()
    assert.equal(line.state.phase, 'ready')
    line.destroy()
  })

  story('where the low half of the clock begins again from zero, nothing happens early, late or not at all', async () => {
    const host = new ScriptedHost()
    host.time = 396 * 2 ** 32 - 2500
    const { line } = await ready({ host, heartbeatMs: 1000, heartbeatGraceMs: 500, requestTimeoutMs: 4000 })
    const reasons = []
    line.listen('disconnect', ({ reason }) => reasons.push([reason, host.time % 2 ** 32]))
    const asked = fails(line.request('x'), { code: 'timed_out', sent: true })
    const pings = () => host.last.frames.filter(({ event }) => event === 'ping').length
    for (let second = 1; second <= 5; second++) {
      await host.advance(1000)
      assert.equal(pings(), second)
      host.last.hear({ type: 'app', event: 'a' })
      if (second === 3) assert.equal(line.diagnostics().requests, 1)
      if (second === 4) assert.equal(line.diagnostics().requests, 0)
    }
    await asked
    await host.advance(1499)
    assert.deepEqual(reasons, [])
    await host.advance(2)
    assert.deepEqual(reasons, [['dead', 4000]])
    line.destroy()
  })

  story('without a network nothing is dialled until it is back', async () => {
    const host = new ScriptedHost()
    let online = false
    let tell
    host.networkOnline = (answer) => answer(online)
    host.onNetwork = (listener) => ((tell = listener), () => {})
    const { line } = await client({ host })
    line.start()
    assert.deepEqual([line.state.phase, line.state.reason], ['waiting', 'network'])
    await host.advance(60000)
    assert.equal(host.sockets.length, 0)
    online = true
    tell(true)
    assert.equal(host.sockets.length, 1)
    line.destroy()
  })

  story('credentials that fail are asked for again; logging out ends the session', async () => {
    let asked = 0
    const errors = []
    const { host, line } = await client({
      onListenerError: (error) => errors.push(error.message),
      credentials: () => {
        asked++
        if (asked === 1) throw new Error('no storage')
        if (asked === 2) return Promise.reject(new Error('no backend'))
        if (asked === 3) return null
        return { u: 'user:6', token: 't' }
      },
    })
    line.start()
    host.last.events.open()
    await host.advance(200000)
    assert.ok(asked >= 4)
    assert.deepEqual(errors, ['no storage', 'no backend'])
    assert.ok(host.sockets.some((socket) => socket.last('login')))
    line.identity(false)
    assert.equal(line.state.phase, 'idle')
    assert.equal(line.isConnected, false)
    assert.equal(host.sockets_alive().length, 0)
    line.destroy()
  })

  story('a callback may end its own client', async () => {
    const { host, line } = await ready()
    const states = []
    line.listen('state', (state) => states.push(state.phase))
    const open = fails(line.request('x'), { code: 'cancelled', sent: true })
    line.on('bye', () => line.destroy())
    let late = 0
    line.on('bye', () => late++)
    host.last.hear({ type: 'app', event: 'bye' })
    await open
    assert.equal(late, 0, 'nothing is heard after the end')
    assert.deepEqual(states, ['closed'])
    assert.equal(line.isConnected, false)
    assert.notEqual(host.last.closed, undefined)
    assert.equal(host.timers.length, 0)
  })

  story('while the provider says that nobody is logged in, asking it again is not "logging in"', async () => {
    let given = null
    let asked = 0
    const { host, line } = await client({ credentials: () => (asked++, given), reconnect: { minMs: 500, maxMs: 1000 }, heartbeatMs: 3600000 })
    const phases = []
    line.listen('state', ({ phase }) => phases.push(phase))
    line.start()
    host.last.events.open()
    await host.advance(20000)
    assert.ok(asked > 2, `asked ${asked} times`)
    assert.deepEqual(phases, ['connecting', 'open', 'loggingIn', 'open'])
    given = { u: 'user:6', token: 't' }
    phases.length = 0
    for (let n = 0; n < 300 && !phases.length; n++) await host.advance(100)
    assert.deepEqual(phases, ['loggingIn'])
    host.last.reply(host.last.last('login'))
    assert.equal(line.isLogin, true)
    // Another user, whose credentials are not there yet: that is told again, once.
    given = null
    phases.length = 0
    line.identity(true)
    await host.advance(15000)
    assert.deepEqual(phases, ['loggingIn', 'open'])
    line.destroy()
  })

  story("`disconnect` carries the platform's own words, or the peer's, of this attempt and no other", async () => {
    const { host, line } = await client({ reconnectTime: 100 })
    const ends = []
    line.listen('disconnect', (news) => ends.push(news))
    line.start()
    host.last.events.error('connectSocket:fail url not in domain list')
    await host.advance(200)
    host.last.welcome()
    host.last.events.close(1001, 'restarting')
    await host.advance(200)
    host.last.welcome()
    host.last.events.close(1006, '')
    const told = ends.map(({ reason, code, errMsg }) => [reason, code, errMsg])
    assert.deepEqual(told, [
      ['dialFailed', undefined, 'connectSocket:fail url not in domain list'],
      ['remote', 1001, 'restarting'],
      ['remote', 1006, undefined],
    ])
    line.destroy()
  })

  story('a pattern that cannot be is refused, and spoils no other', async () => {
    const errors = []
    const host = new ScriptedHost()
    const line = createClient({ url: 'ws://x', host, wasm, credentials: () => ({ u: 'u:1', token: 't' }), onListenerError: (e) => errors.push(e.message) })
    const heard = []
    assert.throws(() => line.on('', () => {}), /pattern/)
    // Its bound is the core's, which is not there yet: told by way of `onListenerError`.
    line.on('y'.repeat(300), () => {})
    line.on('a', () => heard.push('a'))
    await line.loaded
    assert.match(errors.join(), /cannot listen to "yyy/)
    assert.throws(() => line.on('x'.repeat(300), () => {}), /cannot listen/)
    line.start()
    host.last.welcome()
    host.last.hear({ type: 'app', event: 'a' })
    assert.deepEqual(heard, ['a'])
    line.destroy()
  })

  story('the quick way of a push: whatever changes between two pushes, the second goes where it should', async () => {
    const { host, line } = await ready()
    const heard = []
    const push = (msg) => host.last.hear({ type: 'app', event: 'a', msg })
    push('nobody')
    const off = line.on('a', ({ msg }) => heard.push(`1 ${msg}`))
    push(1)
    push(2)
    line.once('a', ({ msg }) => heard.push(`once ${msg}`))
    push(3)
    push(4)
    line.on('*', ({ msg }) => heard.push(`all ${msg}`))
    push(5)
    off()
    push(6)
    line.off()
    push('nobody again')
    line.once('a', ({ msg }) => heard.push(`once ${msg}`))
    push(7)
    push('once more')
    assert.deepEqual(heard, ['1 1', '1 2', '1 3', 'once 3', '1 4', '1 5', 'all 5', 'all 6', 'once 7'])
    line.on('a', ({ msg }) => heard.push(msg))
    const former = host.last
    push(8)
    former.events.close(1006, '')
    former.hear({ type: 'app', event: 'a', msg: 'of a dead socket' })
    await host.advance(30000)
    assert.notEqual(host.last, former)
    former.hear({ type: 'app', event: 'a', msg: 'of a former socket' })
    host.last.welcome()
    push(9)
    line.stop()
    host.last.hear({ type: 'app', event: 'a', msg: 'after the stop' })
    assert.deepEqual(heard.slice(-2), [8, 9])
    line.destroy()
  })

  story('the quick way of a push: a callback may do anything, and what it did is carried out', async () => {
    const { host, line } = await ready({ heartbeatMs: 1000, heartbeatGraceMs: 500 })
    const heard = []
    line.on('a', ({ msg }) => {
      heard.push(msg)
      if (msg === 'ask') line.request('question', 1, { timeoutMs: 50 }).catch((error) => heard.push(error.code))
      // A platform that delivers amid a callback: heard in turn, not in between.
      if (msg === 'nest') {
        host.last.hear({ type: 'app', event: 'a', msg: 'nested' })
        heard.push('after nest')
      }
      if (msg === 'throw') throw new Error('a bug of the page')
    })
    const errors = []
    line.listen('disconnect', ({ reason }) => heard.push(reason))
    const push = (msg) => host.last.hear({ type: 'app', event: 'a', msg })
    const { error } = console
    console.error = (...words) => errors.push(words.join(' '))
    push('ask')
    assert.ok(host.last.last('question'), 'sent once the callback had returned')
    push('nest')
    push('throw')
    push('on')
    console.error = error
    assert.equal(errors.length, 1)
    await host.advance(60)
    assert.deepEqual(heard, ['ask', 'nest', 'after nest', 'nested', 'throw', 'on', 'timed_out'])
    // Pushes are signs of life, also those that the core is not asked about: no heartbeat's silence ends this line.
    for (let n = 0; n < 100; n++) {
      await host.advance(100)
      push(n)
      push(n)
    }
    assert.ok(host.last.frames.filter(({ event }) => event === 'ping').length > 5)
    assert.equal(host.sockets.length, 1)
    line.destroy()
  })

  story('no payload is kept once its message was heard', async () => {
    const { host, line } = await ready()
    line.on('a', () => {})
    for (let n = 0; n < 500; n++) {
      host.last.hear({ type: 'app', event: n % 2 ? 'a' : 'nobody', msg: n })
      host.last.hear({ type: 'ping', uuid: n + 1 })
      host.last.hear({ type: 'respon', event: 'foreign-1', data: { error: 0 } })
      const asked = line.request('x')
      host.last.reply(host.last.last('x'))
      await asked
      host.last.sent.length = 0
    }
    assert.equal(line.diagnostics().payloads, 0)
    assert.equal(line.diagnostics().requests, 0)
    line.destroy()
  })

  story('debug tells each step, and no token', async () => {
    const lines = []
    const { line } = await ready({ debug: (text) => lines.push(text) })
    assert.ok(lines.length > 3)
    assert.ok(!lines.join().includes('secret'))
    assert.equal(line.diagnostics().state.phase, 'ready')
    line.destroy()
  })
}
