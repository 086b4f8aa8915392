// Bundles this room's sources for a test: the tests of the core speak to what no entry point exports.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build } from 'esbuild'

export const shim = join(dirname(fileURLToPath(import.meta.url)), '../../..')

/** The shipped module. */
export const wasmBytes = () => new Uint8Array(readFileSync(join(shim, 'pkg/heartline.wasm')))

/** What the core's tests use, as one script. */
const ENTRY = `
export { createClient, HeartlineError } from './src/core/index'
export * as wire from './src/core/wire'
export * as codes from './src/core/codes'
export { Machine } from './src/core/machine'
export { loadEngine } from './src/load/index'
export { decodeUtf8, encodeUtf8 } from './src/utf8'
export { recorder } from './src/core/recorder'
export { durable } from './src/core/streams'
export { webHost } from './src/host/web'
`

/** The sources as one text, in the given format. `global`: a script that leaves its exports in \`heartline\`. */
export async function bundleText(format = 'esm', options = {}) {
  const { outputFiles } = await build({
    stdin: { contents: ENTRY, resolveDir: shim, loader: 'ts' },
    bundle: true,
    write: false,
    format,
    globalName: 'heartline',
    target: 'es2015',
    platform: 'neutral',
    logLevel: 'error',
    ...options,
  })
  return outputFiles[0].text
}

let loaded

/** The sources as a module of this process. */
export function core() {
  loaded = loaded || load()
  return loaded
}

async function load() {
  const { writeFileSync } = await import('node:fs')
  const folder = mkdtempSync(join(tmpdir(), 'heartline-core-'))
  const file = join(folder, 'core.mjs')
  writeFileSync(file, await bundleText())
  try {
    return await import(pathToFileURL(file).href)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
