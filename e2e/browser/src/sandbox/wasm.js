// `WXWebAssembly`: takes the path of a file in the package and nothing else; no bytes, no URL, no streaming.

import { readFileSync, existsSync } from 'node:fs'
import path from 'node:path'
import { brotliDecompressSync } from 'node:zlib'

/** The platform's object, for one package. Paths that were asked for are kept in `program.wasmPaths`. */
export function makeWasm(program) {
  return {
    async instantiate(file, imports) {
      if (typeof file !== 'string' || !/\.wasm(\.br)?$/.test(file) || /^\w+:/.test(file)) {
        throw new Error('WXWebAssembly.instantiate: the first argument must be the path of a .wasm or .wasm.br file in the package')
      }
      const at = path.join(program.folder, file)
      if (!at.startsWith(program.folder) || !existsSync(at)) throw new Error(`WXWebAssembly.instantiate: no file ${file}`)
      program.wasmPaths.push(file)
      const bytes = readFileSync(at)
      const { instance } = await WebAssembly.instantiate(file.endsWith('.br') ? brotliDecompressSync(bytes) : bytes, imports)
      return { instance }
    },
    compile() {
      throw new Error('WXWebAssembly.compile is not usable')
    },
  }
}
