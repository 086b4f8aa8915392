// A mini-program package outside WeChat's tools: its JavaScript runs in a context that lacks what the oldest
// engines lack, on a `wx` that behaves as badly as the real one. No layout: a page is its data and its handlers.

import { readFileSync, existsSync } from 'node:fs'
import path from 'node:path'
import vm from 'node:vm'
import { Pages } from './pages.js'
import { TIMER_PROMISE } from './promise.js'
import { Runtime } from './runtime.js'
import { makeWasm } from './wasm.js'
import { makeWx } from './wx.js'

// What some engine within the floors of the supported platforms does not have. A fresh context has the first
// group and loses it here; it never had the second, and the test asserts that.
const TAKEN_AWAY = ['WebAssembly', 'SharedArrayBuffer', 'Atomics', 'FinalizationRegistry', 'WeakRef', 'BigInt', 'globalThis']
const NEVER_THERE = ['TextDecoder', 'TextEncoder', 'URL', 'crypto', 'performance', 'queueMicrotask', 'fetch', 'Response', 'atob']
const MODULE_LOCALS = ['window', 'document', 'self', 'location', 'navigator', 'localStorage', 'XMLHttpRequest', 'WebSocket']

export class MiniProgram {
  /**
   * Loads the package in `folder`, launches its app and opens its first page.
   * `wasm`: whether the platform has `WXWebAssembly`. `timerPromise`: whether its Promise is a polyfill on timers, as on
   * old iOS. `storage`: what the phone has stored already.
   */
  static launch({ folder, wasm, timerPromise = false, storage = {} }) {
    const program = new MiniProgram(folder)
    program.storage = storage
    program.prepare(wasm)
    if (timerPromise) program.context.Promise = program.evaluate(TIMER_PROMISE)(program.context.setTimeout)
    program.require('app.js')
    program.pages.reLaunch(`/${program.manifest.pages[0]}`)
    program.runtime.show()
    return program
  }

  constructor(folder) {
    if (!existsSync(path.join(folder, 'app.json'))) throw new Error(`${folder} holds no mini-program: npm run build`)
    this.folder = folder
    this.manifest = JSON.parse(readFileSync(path.join(folder, 'app.json'), 'utf8'))
    this.modules = new Map()
    this.components = new Map()
    this.logs = []
    this.toasts = []
    this.badges = {}
    this.wasmPaths = []
    this.context = vm.createContext({}, { codeGeneration: { strings: false, wasm: false } })
    this.runtime = new Runtime(this)
    this.pages = new Pages(this)
  }

  /** A value of this realm as one of the package's realm. */
  toGuest(value) {
    return value === undefined ? undefined : this.parse(JSON.stringify(value))
  }

  /** The value of an expression in the package's realm. */
  evaluate(expression) {
    return vm.runInContext(expression, this.context)
  }

  /** Loads a module of the package, once. */
  require(name) {
    const file = path.join(this.folder, name)
    const known = this.modules.get(file)
    if (known) return known.exports
    const module = { exports: this.evaluate('({})') }
    this.modules.set(file, module)
    const head = `(function (require, module, exports, ${MODULE_LOCALS.join(', ')}) {`
    const run = vm.runInContext(`${head}${readFileSync(file, 'utf8')}\n})`, this.context, { filename: file })
    const relative = (wanted) => {
      const target = path.join(path.dirname(name), wanted)
      return this.require(target.endsWith('.js') ? target : `${target}.js`)
    }
    this.loading = name
    run(relative, module, module.exports)
    return module.exports
  }

  /** Stops everything that the package left running. */
  stop() {
    this.runtime.stop()
  }

  prepare(wasm) {
    const { context } = this
    this.parse = this.evaluate('JSON.parse')
    for (const name of TAKEN_AWAY) vm.runInContext(`delete this.${name}`, context)
    const log = (...words) => this.logs.push(words.map(String).join(' '))
    Object.assign(context, {
      console: { log, info: log, debug: log, warn: log, error: log },
      global: this.evaluate('({})'),
      setTimeout: (run, ms, ...rest) => this.runtime.setTimeout(run, ms, rest),
      clearTimeout: (id) => this.runtime.clear(id),
      setInterval: (run, ms, ...rest) => this.runtime.setInterval(run, ms, rest),
      clearInterval: (id) => this.runtime.clear(id),
      wx: makeWx(this),
      App: (options) => this.runtime.launch(options),
      getApp: () => this.runtime.app,
      getCurrentPages: () => this.pages.stack.slice(),
      Page: (options) => this.components.set(this.loading, options),
      Component: (options) => this.components.set(this.loading, options),
      Behavior: (options) => options,
      ...(wasm ? { WXWebAssembly: makeWasm(this) } : {}),
    })
    const missing = [...TAKEN_AWAY, ...NEVER_THERE].filter((name) => this.evaluate(`typeof ${name}`) !== 'undefined')
    if (missing.length) throw new Error(`the sandbox is too kind: it has ${missing.join(', ')}`)
    const generates = this.evaluate(`(function () { try { return !!Function('return 1') } catch (_) { return false } })()`)
    if (generates) throw new Error('the sandbox is too kind: it makes code from text')
  }
}
