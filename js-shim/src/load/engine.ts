/** One instance of the core, however it was loaded. */
import { glue } from '../../pkg/heartline_glue.js'
import type { Calls, Glue } from '../../pkg/heartline_glue.js'
import { encodeUtf8 } from '../utf8'

/** Where the module is, or what it is; `false`, or nothing, means the JavaScript build, to be fetched. */
export type Source = Bytes | JavaScriptBuild | false | undefined

/** A module's bytes, or where they are. */
export type Bytes = string | ArrayBuffer | Uint8Array

/** The core as JavaScript, already at hand. */
export interface JavaScriptBuild {
  instantiate(imports: Imports): unknown
}

export type Emit = (instance: number, kind: number, a: number, b: number, c: number) => void

export interface Engine {
  /** 'wx', 'tt', 'my', 'wasm' or 'js'. */
  readonly name: string
  readonly core: Calls
}

export type Imports = Glue['imports']

/** Puts the glue around what `instantiate` makes of its imports. */
export function bind(name: string, emit: Emit, instantiate: (imports: Imports) => unknown): Promise<Engine> {
  const { imports, calls } = glue({ emit, encode: encodeUtf8 })
  // By a promise from the start: some runtimes throw instead of rejecting.
  return Promise.resolve(imports)
    .then(instantiate)
    .then((made: any) => {
      // Some runtimes answer { instance }, some the instance itself, and wasm2js the exports.
      const instance = made.instance || made
      return { name, core: calls(instance.exports || instance) }
    })
}
