// The shipped CommonJS bundle on an engine as bare as old phones have: no WebAssembly but the platform's path-only
// one, no TextDecoder, URL, crypto, performance, queueMicrotask, globalThis, BigInt, and no code generation.
import { setTimeout as breath } from 'node:timers/promises'
import test from 'node:test'
import assert from 'node:assert/strict'
import vm from 'node:vm'
import { readFileSync } from 'node:fs'
import { createFakeUni } from 'heartline/testing'

const dist = new URL('../dist/cjs/', import.meta.url)
const wasm = readFileSync(new URL('../heartline.wasm', import.meta.url))
const MISSING = ['WebAssembly', 'BigInt', 'FinalizationRegistry', 'WeakRef', 'SharedArrayBuffer', 'Atomics', 'globalThis']

/** A page's world: a fake platform, and the bundle loaded into a context of its own. */
function bareWorld(t, { slowPromise, ...globals } = {}) {
  const fake = createFakeUni({ platform: 'wechat', globalData: { isLogin: true } })
  t.after(fake.install())
  const context = vm.createContext(
    { wx: fake.uni, getApp: () => fake.app, setTimeout, clearTimeout, Date, console, ...globals },
    { codeGeneration: { strings: false, wasm: false } },
  )
  for (const name of MISSING) vm.runInContext(`delete this.${name}`, context)
  if (slowPromise) vm.runInContext(SLOW_PROMISE, context)
  const loaded = {}
  const require = (name) => {
    const file = name.replace('./', '')
    if (!loaded[file]) {
      const module = (loaded[file] = { exports: {} })
      const run = vm.runInContext(`(function (require, module, exports) {${readFileSync(new URL(file, dist), 'utf8')}\n})`, context)
      run(require, module, module.exports)
    }
    return loaded[file].exports
  }
  return { fake, context, require }
}

/** iOS up to 15: Promise is made of setTimeout, so its callbacks come after every other timer that is due. */
const SLOW_PROMISE = `
var Promise = (function () {
  function Slow(run) {
    var self = this
    self.waiting = []
    var settle = function (kind) {
      return function (value) {
        if (self.locked) return
        self.locked = true
        if (kind === 0 && value && typeof value.then === 'function') value.then(finish(0), finish(1))
        else finish(kind)(value)
      }
    }
    var finish = function (kind) {
      return function (value) {
        if (self.result) return
        self.result = { kind: kind, value: value }
        self.waiting.forEach(function (each) { setTimeout(each, 0) })
      }
    }
    try { run(settle(0), settle(1)) } catch (error) { settle(1)(error) }
  }
  Slow.prototype.then = function () {
    var self = this, callbacks = arguments
    return new Slow(function (resolve, reject) {
      var go = function () {
        var kind = self.result.kind, value = self.result.value, callback = callbacks[kind]
        if (typeof callback !== 'function') return (kind ? reject : resolve)(value)
        try { resolve(callback(value)) } catch (error) { reject(error) }
      }
      if (self.result) setTimeout(go, 0)
      else self.waiting.push(go)
    })
  }
  Slow.prototype.catch = function (rejected) { return this.then(undefined, rejected) }
  Slow.resolve = function (value) { return value instanceof Slow ? value : new Slow(function (resolve) { resolve(value) }) }
  Slow.reject = function (error) { return new Slow(function (_, reject) { reject(error) }) }
  return Slow
})()`

/** `WXWebAssembly.instantiate` takes the path of a file in the package, and answers the bare instance or a pair. */
const pathOnly = (answer) => ({
  instantiate(path, imports) {
    if (path !== '/static/heartline.wasm') return Promise.reject(new Error(`no such file: ${path}`))
    return WebAssembly.instantiate(wasm, imports).then((made) => (answer === 'pair' ? made : made.instance))
  },
})

async function story(t, world, options, engine) {
  const { fake, require } = world
  const { createHeartline } = require('./index.js')
  const news = []
  const line = createHeartline({ url: 'wss://test', credentials: () => ({ u: 'user:6', token: 't' }), ...options })
  t.after(() => line.destroy())
  line.listen('fallback', ({ loader }) => news.push(`fallback from ${loader}`))
  line.start()
  line.loaded.then(() => news.push('loaded'))
  // The engine compiles on threads of its own, in real time, which a busy machine stretches.
  for (const end = performance.now() + 10_000; performance.now() < end && !news.includes('loaded'); await breath(1)) await fake.advance(1)
  assert.ok(news.includes('loaded'), 'the core is there within 10 s')
  await fake.advance(500)
  assert.equal(line.engine, engine)
  assert.equal(line.isLogin, true)
  fake.server.on('ask', (data) => data.text)
  const answers = []
  line.on('chat*', (message) => {
    answers.push(message.msg)
    line.request('ask', { text: '问😀' }).then((data) => answers.push(data.body))
  })
  const bytes = new TextEncoder().encode(JSON.stringify({ type: 'app', event: 'chat1', msg: '推送😀' }))
  fake.server.latest.sendRaw(bytes.buffer)
  fake.server.latest.push({ event: 'chat2', msg: 'second' })
  await fake.advance(500)
  assert.deepEqual(answers, ['推送😀', 'second', '问😀', '问😀'])
  fake.drop()
  await fake.advance(60000)
  assert.equal(line.isLogin, true)
  return news
}

test('without any WebAssembly: the JavaScript build', async (t) => {
  await story(t, bareWorld(t), {}, 'js')
})

test('WXWebAssembly and TTWebAssembly, which take only a path; a pair or the bare instance', async (t) => {
  for (const [name, engine] of [['WXWebAssembly', 'wx'], ['TTWebAssembly', 'tt']]) {
    for (const answer of ['pair', 'bare']) {
      await t.test(`${name}, ${answer}`, (t) =>
        story(t, bareWorld(t, { [name]: pathOnly(answer) }), { wasm: '/static/heartline.wasm' }, engine),
      )
    }
  }
})

test('the file is not in the package: told, and the JavaScript build takes over', async (t) => {
  const world = bareWorld(t, { WXWebAssembly: pathOnly('pair') })
  const news = await story(t, world, { wasm: '/static/lost.wasm' }, 'js')
  assert.deepEqual(news, ['fallback from wx', 'loaded'])
})

test('promises are timers (iOS up to 15): nothing relies on their order', async (t) => {
  await story(t, bareWorld(t, { slowPromise: true }), {}, 'js')
})

test('the classic class in the same bare world', async (t) => {
  const { fake, require, context } = bareWorld(t)
  vm.runInContext('var uni = wx', context)
  const { UniSocketPromise } = require('./compat.js')
  const socket = new UniSocketPromise({ url: 'wss://test', jwt: { getUser: () => ({ user_id: 6, socket_token: 't' }) } })
  t.after(() => socket.destroy())
  socket._connectionLoop()
  await socket.loaded
  await fake.advance(500)
  assert.equal(socket.IsLogin, true)
  assert.equal(fake.toasts.length, 1)
})
