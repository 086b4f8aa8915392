// Puts the package's wasm where every platform can load it by path: `src/static/` is copied verbatim on H5
// and into the main package of a mini-program. Runs before each build (npm's `prebuild:*`).
const fs = require('node:fs')
const path = require('node:path')

const target = path.resolve(process.argv[2] || 'src', 'static/heartline.wasm')
const source = require.resolve('heartline/package.json').replace(/package\.json$/, 'heartline.wasm')
if (!fs.existsSync(source)) {
  console.error(`${source} is missing.\nBuild the package first: cargo xtask npm (from the repository's root).`)
  process.exit(1)
}
fs.mkdirSync(path.dirname(target), { recursive: true })
fs.copyFileSync(source, target)
