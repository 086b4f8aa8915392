// Every loader, in an engine as poor as the poorest phone's, and what happens when one fails.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { test } from 'node:test'
import vm from 'node:vm'
import { bundleText, core, wasmBytes } from './support/bundle.mjs'
import { ScriptedHost, settle } from './support/host.mjs'

const { createClient } = await core()
const script = await bundleText('iife')
const cjs = await bundleText('cjs')

/** What some mini-program or other does not have. */
const MISSING = [
  'WebAssembly', 'TextDecoder', 'TextEncoder', 'URL', 'crypto', 'performance', 'queueMicrotask', 'globalThis',
  'FinalizationRegistry', 'WeakRef', 'BigInt', 'BigInt64Array', 'BigUint64Array', 'fetch', 'XMLHttpRequest', 'structuredClone',
]

/** A context without all of that, where no text can become code. */
function poorContext(more = {}) {
  const context = vm.createContext({ setTimeout, clearTimeout, console, ...more }, { codeGeneration: { strings: false, wasm: false } })
  vm.runInContext(MISSING.map((name) => `delete globalThis.${name}`).join(';').replace('delete globalThis.globalThis', '0'), context)
  vm.runInContext('delete this.globalThis', context)
  for (const name of MISSING) assert.equal(vm.runInContext(`typeof ${name}`, context), 'undefined', name)
  assert.throws(() => vm.runInContext('new Function("return 1")()', context))
  return context
}

/** A WebAssembly that takes nothing but the path of a file. `bare`: answers the instance itself. */
function pathOnly(bare, asked) {
  return {
    instantiate(path, imports) {
      asked.push(path)
      if (typeof path !== 'string') return Promise.reject(new Error('path only'))
      return WebAssembly.instantiate(wasmBytes(), imports).then((made) => (bare ? made.instance : made))
    },
  }
}

/** Logs in, hears a push, gets an answer: the whole way through the core. */
async function works(context, wasm, engine) {
  const host = new ScriptedHost()
  context.host = host
  context.wasm = wasm
  const before = vm.runInContext('Object.getOwnPropertyNames(this).sort().join()', context)
  vm.runInContext(script, context)
  const after = vm.runInContext('Object.getOwnPropertyNames(this).sort().join()', context)
  assert.equal(after.replace('heartline,', ''), before.replace('heartline,', ''), 'nothing global but the bundle itself')
  const line = vm.runInContext(
    `heartline.createClient({ url: 'wss://x', host, wasm, credentials: () => ({ u: '用户:六', token: 't' }) })`,
    context,
  )
  const falls = []
  line.listen('fallback', (news) => falls.push(news))
  await line.loaded
  assert.equal(line.engine, engine)
  const heard = []
  line.on('聊*', (message) => heard.push(message.msg))
  line.start()
  host.last.welcome()
  host.last.hear({ type: 'app', event: '聊天😀', msg: 1 })
  assert.deepEqual(heard, [1])
  const asked = line.request('问', { a: '答' })
  host.last.reply(host.last.last('问'), 0, { n: 2 })
  assert.equal((await asked).n, 2)
  assert.equal(line.diagnostics().state.phase, 'ready')
  line.destroy()
  return falls
}

for (const [name, engine] of [['WXWebAssembly', 'wx'], ['TTWebAssembly', 'tt'], ['MYWebAssembly', 'my']]) {
  for (const bare of [false, true]) {
    test(`${name} takes the path${bare ? ' and answers a bare instance' : ''}`, async () => {
      const asked = []
      const falls = await works(poorContext({ [name]: pathOnly(bare, asked) }), '/static/heartline.wasm.br', engine)
      assert.deepEqual(asked, ['/static/heartline.wasm.br'])
      assert.deepEqual(falls, [])
    })
  }
}

test('no WebAssembly at all: the JavaScript build, without a word when nothing else was asked for', async () => {
  assert.deepEqual(await works(poorContext(), undefined, 'js'), [])
  assert.deepEqual(await works(poorContext(), false, 'js'), [])
})

test('a path, but no WebAssembly: the JavaScript build, and why', async () => {
  const falls = await works(poorContext(), '/static/heartline.wasm', 'js')
  assert.equal(falls.length, 1)
  assert.match(String(falls[0].error), /no WebAssembly/)
})

test('a loader that rejects, throws, answers nonsense, or never answers hands over to the JavaScript build', async () => {
  const bad = {
    rejects: () => Promise.reject(new Error('not found')),
    throws: () => {
      throw new Error('broken')
    },
    nonsense: () => Promise.resolve(undefined),
  }
  for (const [name, instantiate] of Object.entries(bad)) {
    const falls = await works(poorContext({ WXWebAssembly: { instantiate } }), '/static/x.wasm', 'js')
    assert.deepEqual(falls.map((news) => news.loader), ['wx'], name)
  }
  const host = new ScriptedHost()
  const context = poorContext({ WXWebAssembly: { instantiate: () => new Promise(() => {}) }, host })
  vm.runInContext(script, context)
  const line = vm.runInContext(`heartline.createClient({ url: 'ws://x', host, wasm: '/x.wasm' })`, context)
  await host.advance(9000)
  await line.loaded
  assert.equal(line.engine, 'js')
})

test('bytes and addresses with the standard WebAssembly', async () => {
  const server = createServer((request, response) => {
    if (request.url !== '/heartline.wasm') response.writeHead(404)
    response.end(request.url === '/heartline.wasm' ? Buffer.from(wasmBytes()) : 'no')
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const base = `http://127.0.0.1:${server.address().port}`
  try {
    for (const [wasm, engine] of [
      [wasmBytes(), 'wasm'],
      [wasmBytes().buffer, 'wasm'],
      [`${base}/heartline.wasm`, 'wasm'],
      [`${base}/missing.wasm`, 'js'],
      [new Uint8Array([1, 2, 3]), 'js'],
    ]) {
      const falls = []
      const line = createClient({ url: 'ws://x', host: new ScriptedHost(), wasm })
      line.listen('fallback', (news) => falls.push(news.loader))
      await line.loaded
      assert.equal(line.engine, engine)
      assert.deepEqual(falls, engine === 'js' ? ['wasm'] : [])
      line.destroy()
    }
  } finally {
    server.close()
  }
})

test('importing does nothing: no load, no timer, no global', async () => {
  const touched = []
  const spy = new Proxy({}, { get: (_, key) => (touched.push(String(key)), undefined) })
  const context = poorContext({ WXWebAssembly: spy, setTimeout: () => touched.push('setTimeout') })
  vm.runInContext(script, context)
  const module = { exports: {} }
  vm.runInContext(`(function (module, exports) {${cjs}\n})`, context)(module, module.exports)
  assert.equal(typeof module.exports.createClient, 'function')
  await settle()
  assert.deepEqual(touched, [])
})

test('several clients in one module of the glue, and several modules, do not disturb one another', async () => {
  const { loadEngine } = await core()
  for (const source of [wasmBytes(), false]) {
    const out = []
    const emit = (instance, kind) => out.push([instance, kind])
    const { core: calls } = await loadEngine(source, emit, new ScriptedHost(), () => {})
    const first = calls.create(1, 0)
    const second = calls.create(2, 0)
    assert.deepEqual([first, second], [0, 1])
    calls.feed(second, 4, 0, 1, 0, 0, 0)
    calls.feed(second, 0, 0, 0, 0, 0, 0)
    assert.ok(out.length > 0 && out.every(([instance]) => instance === second))
    assert.deepEqual([calls.next_request(first), calls.next_request(second)].map((id) => id >= 0), [true, true])
    calls.discard(first)
    assert.ok(calls.next_request(first) < 0, 'forgotten')
    assert.ok(calls.next_request(second) >= 0)
    assert.equal(calls.create(3, 0), 0)
  }
})
