// The network and the background: what platforms leave out, delay, or never answer.
import test from 'node:test'
import assert from 'node:assert/strict'
import { myHost, ttHost, uniHost } from 'heartline'
import { createFakeUni } from 'heartline/testing'

/** A fake with its timers installed, and what a host on it heard of the network. */
function listen(t, options, makeHost = uniHost) {
  const fake = createFakeUni(options)
  t.after(fake.install())
  const host = makeHost(fake.uni)
  const heard = []
  const stop = host.onNetwork((online) => heard.push(online))
  return { fake, host, heard, stop }
}

async function ask(fake, host, ms) {
  const answers = []
  host.networkOnline((online) => answers.push(online))
  await fake.advance(ms)
  return answers
}

test('the network goes and comes', async (t) => {
  const { fake, heard } = listen(t, { platform: 'wechat' })
  fake.network('none')
  fake.network('4g')
  assert.deepEqual(heard, [false, true])
})

test("Douyin's event does not say isConnected: getNetworkType is asked", async (t) => {
  const { fake, heard } = listen(t, { platform: 'douyin' }, ttHost)
  fake.network('none')
  await fake.advance(100)
  fake.network('wifi')
  await fake.advance(100)
  assert.deepEqual(heard, [false, true])
})

test('offNetworkStatusChange is missing: the listener is muted, and the platform is given one only', async (t) => {
  const fake = createFakeUni({ platform: 'qq' })
  let given = 0
  const { onNetworkStatusChange } = fake.uni
  fake.uni.onNetworkStatusChange = (listener) => (given++, onNetworkStatusChange(listener))
  const host = uniHost(fake.uni)
  const heard = []
  for (let round = 0; round < 50; round++) host.onNetwork(() => heard.push(round))()
  host.onNetwork((online) => heard.push(online))
  fake.network('none')
  assert.deepEqual(heard, [false])
  assert.equal(given, 1)
})

test('offNetworkStatusChange throws, or does nothing: muted all the same', () => {
  for (const off of [() => {}, () => { throw new Error('not supported') }]) {
    const fake = createFakeUni()
    fake.uni.offNetworkStatusChange = off
    const heard = []
    uniHost(fake.uni).onNetwork((online) => heard.push(online))()
    fake.network('none')
    assert.deepEqual(heard, [])
  }
})

test('an answer that comes after the unsubscribe is not told', async (t) => {
  const { fake, heard, stop } = listen(t, { platform: 'douyin' }, ttHost)
  fake.network('none')
  stop()
  await fake.advance(5000)
  assert.deepEqual(heard, [])
})

test('getNetworkType answers with none, in time', async (t) => {
  const { fake, host } = listen(t, {})
  fake.network('none')
  assert.deepEqual(await ask(fake, host, 100), [false])
  fake.network('5g')
  assert.deepEqual(await ask(fake, host, 100), [true])
})

test('getNetworkType never answers: after its own time limit a network is assumed', async (t) => {
  const { fake, host } = listen(t, { traits: { networkAnswerMs: Infinity } })
  assert.deepEqual(await ask(fake, host, 1000), [])
  assert.deepEqual(await ask(fake, host, 2000), [true])
})

test('getNetworkType answers after the limit: one answer only, the late one is dropped', async (t) => {
  const { fake, host } = listen(t, { traits: { networkAnswerMs: 9000 } })
  fake.network('none')
  assert.deepEqual(await ask(fake, host, 60000), [true])
})

test('getNetworkType throws, fails, returns a Promise, or a pair', async (t) => {
  const shapes = {
    throws: () => { throw new Error('denied') },
    fails: (call) => call.fail({ errMsg: 'denied' }),
    twice: (call) => (call.success({ networkType: 'none' }), call.success({ networkType: 'wifi' })),
    promise: () => Promise.resolve({ networkType: 'none' }),
    pair: () => Promise.resolve([null, { networkType: 'none' }]),
    rejects: () => Promise.reject(new Error('denied')),
  }
  const answers = {}
  for (const [name, getNetworkType] of Object.entries(shapes)) {
    answers[name] = []
    uniHost({ connectSocket() {}, getNetworkType }).networkOnline((online) => answers[name].push(online))
  }
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.deepEqual(answers, {
    throws: [true],
    fails: [true],
    twice: [false],
    promise: [false],
    pair: [false],
    rejects: [true],
  })
})

test('Alipay says NOTREACHABLE, or gives a flag', () => {
  const answers = []
  for (const result of [{ networkType: 'NOTREACHABLE' }, { networkAvailable: false }, { networkType: 'WIFI', networkAvailable: true }]) {
    const api = { connectSocket() {}, getNetworkType: (call) => call.success(result) }
    myHost(api).networkOnline((online) => answers.push(online))
  }
  assert.deepEqual(answers, [false, false, true])
})

test('a platform without network functions has no such members, so that a network is assumed', () => {
  const host = uniHost({ connectSocket() {} })
  assert.equal(host.networkOnline, undefined)
  assert.equal(host.onNetwork, undefined)
  host.onVisibility(() => {})()
})

test('hide and show are told until unsubscribed, also where there is no off', () => {
  for (const remove of [[], ['offAppShow', 'offAppHide']]) {
    const fake = createFakeUni({ platform: 'h5' })
    for (const name of remove) delete fake.uni[name]
    const heard = []
    const stop = uniHost(fake.uni).onVisibility((visible) => heard.push(visible))
    fake.hide()
    fake.show()
    stop()
    fake.hide()
    assert.deepEqual(heard, [false, true])
  }
})

test('a tab of a browser keeps its sockets when it is hidden: only its return is told', () => {
  const fake = createFakeUni({ platform: 'h5' })
  globalThis.document = {}
  try {
    const heard = []
    uniHost(fake.uni).onVisibility((visible) => heard.push(visible))
    fake.hide()
    fake.show()
    assert.deepEqual(heard, [true])
  } finally {
    delete globalThis.document
  }
})

test('the clock never runs backwards, and a sleep shows', async (t) => {
  const fake = createFakeUni()
  t.after(fake.install())
  const host = uniHost(fake.uni)
  const start = host.now()
  await fake.clock.sleep(60000)
  assert.equal(host.now() - start, 60000)
  const dateNow = Date.now
  Date.now = () => dateNow() - 3600000
  assert.equal(host.now() - start, 60000)
  await fake.advance(500)
  assert.equal(host.now() - start, 60500)
})

test('a timer longer than 31 bits does not ring at once', (t) => {
  let rang = false
  const cancel = uniHost({ connectSocket() {} }).setTimer(2 ** 40, () => (rang = true))
  t.after(cancel)
  return new Promise((resolve) => setTimeout(resolve, 20)).then(() => assert.equal(rang, false))
})
