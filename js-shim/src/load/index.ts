/**
 * Chooses how the core is loaded, when a client is made and never earlier: the mini-program's own WebAssembly, the
 * standard one, or else the same core as JavaScript. A loader that fails, or never answers, hands over to the last.
 */
import type { Host } from '../types'
import { bind, type Emit, type Engine, type Source } from './engine'
import { miniWebAssembly } from './mini'
import { hasWebAssembly, instantiateBytes } from './web'

export type { Emit, Engine, Source } from './engine'

/** A module of some kilobytes: who takes longer than this to load it has failed. */
const LOAD_LIMIT_MS = 8000

export function loadEngine(
  source: Source,
  emit: Emit,
  host: Host,
  fallback: (loader: string, error: unknown) => void,
): Promise<Engine> {
  const found = source ? find(source, emit) : undefined
  if (!found) return javascript(emit)
  const { name, load } = found
  return within(LOAD_LIMIT_MS, host, load).then(undefined, (error) => {
    fallback(name, error)
    return javascript(emit)
  })
}

function find(source: Exclude<Source, false | undefined>, emit: Emit): { name: string; load(): Promise<Engine> } {
  const mini = typeof source === 'string' ? miniWebAssembly() : undefined
  if (mini) {
    const path = source as string
    return { name: mini.name, load: () => bind(mini.name, emit, (imports) => mini.api.instantiate(path, imports)) }
  }
  const load = hasWebAssembly()
    ? () => bind('wasm', emit, (imports) => instantiateBytes(source, imports))
    : () => Promise.reject(new Error('no WebAssembly here'))
  return { name: 'wasm', load }
}

/** A chunk of its own where the bundler splits; never run at import. */
function javascript(emit: Emit): Promise<Engine> {
  return import('../../pkg/heartline_wasm2js.js').then((module) =>
    bind('js', emit, (imports) => Promise.resolve(module.instantiate(imports))),
  )
}

function within(ms: number, host: Host, load: () => Promise<Engine>): Promise<Engine> {
  return new Promise((resolve, reject) => {
    const cancel = host.setTimer(ms, () => reject(new Error(`not loaded within ${ms} ms`)))
    const done = <T>(settle: (value: T) => void) => (value: T) => {
      cancel()
      settle(value)
    }
    // Also catches a loader that throws before it makes its promise.
    Promise.resolve().then(load).then(done(resolve), done(reject))
  })
}
