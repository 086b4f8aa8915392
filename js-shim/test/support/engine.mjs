// The two ways in which the core runs: stories that must hold on both are told with `both`.
import test from 'node:test'
import { readFileSync } from 'node:fs'

const bytes = readFileSync(new URL('../../heartline.wasm', import.meta.url))

/** What the running story passes as the option `wasm`. */
export const engine = { wasm: undefined }

/** The story on WebAssembly and on the JavaScript build. Tests of one file run one after another. */
export function both(name, story) {
  for (const [title, wasm] of [['wasm', bytes], ['js', undefined]]) {
    test(`${title}: ${name}`, (t) => {
      engine.wasm = wasm
      return story(t)
    })
  }
}
