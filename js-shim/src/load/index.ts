/**
 * Chooses how the core is loaded, when a client is made and never earlier: the mini-program's own WebAssembly, the
 * standard one, or else the same core as JavaScript. A loader that fails, or never answers, hands over to the last.
 */
import type { Host } from '../types'
import { bind } from './engine'
import type { Bytes, Emit, Engine, Imports, JavaScriptBuild, Source } from './engine'
import { miniWebAssembly } from './mini'
import { instantiateBytes } from './web'

export type { Emit, Engine, Source } from './engine'

/** A module of some kilobytes: who takes longer than this to load it has failed. */
const LOAD_LIMIT_MS = 8000

export function loadEngine(
  source: Source,
  emit: Emit,
  host: Host,
  fallback: (loader: string, error: unknown) => void,
): Promise<Engine> {
  // A chunk of its own where the bundler splits; never run at import.
  const javascript = () =>
    import('../../pkg/heartline_wasm2js.js').then(({ instantiate }) => bind('js', emit, instantiate))
  if (!source) return javascript()
  const { instantiate: atHand } = source as JavaScriptBuild
  if (atHand) return bind('js', emit, atHand)
  const mini = typeof source === 'string' && miniWebAssembly()
  const name = mini ? mini.name : 'wasm'
  const instantiate = (imports: Imports) =>
    mini ? mini.api.instantiate(source as string, imports) : instantiateBytes(source as Bytes, imports)
  return new Promise<Engine>((resolve, reject) => {
    const cancel = host.setTimer(LOAD_LIMIT_MS, () => reject(new Error('not loaded in time')))
    const loaded = bind(name, emit, instantiate)
    loaded.then(cancel, cancel)
    loaded.then(resolve, reject)
  }).then(undefined, (error) => {
    fallback(name, error)
    return javascript()
  })
}
