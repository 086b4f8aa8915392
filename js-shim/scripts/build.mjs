// Builds the package: dist/esm and dist/cjs with esbuild, their types with tsc, and the wasm files beside them.
//
// `heartline/compat` and `heartline/testing` import the main entry instead of carrying it a second time, so that
// there is one HeartlineError and one copy of the client in an app.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execFileSync } from 'node:child_process'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const finished = join(root, 'dist')
// Built beside and put in place whole: who reads dist/ meanwhile finds the former build.
const dist = join(root, `dist.${process.pid}`)
const entries = readdirSync(join(root, 'src/entry'))
  .filter((file) => file.endsWith('.ts'))
  .map((file) => file.slice(0, -3))

/** Leaves an import of the main entry standing, as `./index.js`. */
const shareMainEntry = {
  name: 'share-main-entry',
  setup({ onResolve }) {
    onResolve({ filter: /\/index$/ }, ({ path, importer }) => {
      const target = join(dirname(importer), path)
      if (relative(root, target) === join('src', 'entry', 'index')) return { path: './index.js', external: true }
    })
  },
}

/** Leaves the import of the JavaScript build standing: bundled in, every app would pay for it. */
const FALLBACK = 'heartline_wasm2js.js'
const keepFallbackApart = {
  name: 'keep-fallback-apart',
  setup({ onResolve }) {
    onResolve({ filter: /\/heartline_wasm2js\.js$/ }, () => ({ path: `./${FALLBACK}`, external: true }))
  },
}

/**
 * Members that only the rooms of the main entry know of each other: they are given short names, which everybody downloads.
 * None may be the name of anything that an app or a platform sees; `test/syntax.test.mjs` looks.
 */
const INNER_MEMBERS = JSON.parse(readFileSync(join(root, 'scripts/inner-members.json'), 'utf8'))
const short = { mangleProps: new RegExp(`^(${INNER_MEMBERS.join('|')})$`) }

try {
  await bundle('esm')
  await bundle('cjs')
  types()
  besides()
  rmSync(finished, { recursive: true, force: true })
  renameSync(dist, finished)
} finally {
  rmSync(dist, { recursive: true, force: true })
}

async function bundle(format) {
  const outdir = join(dist, format)
  const common = {
    absWorkingDir: root,
    outdir,
    bundle: true,
    format,
    target: 'es2015',
    platform: 'neutral',
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'warning',
    external: ['vue'],
    // CommonJS runtimes without import(), such as a mini-program's, get a require at the same place.
    supported: { 'dynamic-import': format === 'esm' },
    plugins: [shareMainEntry, keepFallbackApart],
  }
  const source = (entry) => `src/entry/${entry}.ts`
  await build({ ...common, ...short, entryPoints: [source('index')] })
  await build({ ...common, entryPoints: entries.filter((entry) => entry !== 'index').map(source) })
  // The JavaScript build of the core: a file of its own, read only where there is no WebAssembly.
  cpSync(built(`heartline_wasm2js.${format === 'esm' ? 'js' : 'cjs'}`), join(outdir, FALLBACK))
  writeFileSync(join(outdir, 'package.json'), `{ "type": "${format === 'esm' ? 'module' : 'commonjs'}" }\n`)
}

/** One tree of declarations for each format: TypeScript judges a `.d.ts` by the package.json above it. */
function types() {
  const tree = join(dist, 'esm/types')
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const flags = ['-p', 'tsconfig.json', '--declaration', '--emitDeclarationOnly', '--outDir', tree]
  execFileSync(process.execPath, [tsc, ...flags], { cwd: root, stdio: 'inherit' })
  for (const file of walk(tree)) writeFileSync(file, withExtensions(file, readFileSync(file, 'utf8')))
  for (const entry of entries) {
    const target = `./types/entry/${entry}.js`
    const hasDefault = /export default|as default/.test(readFileSync(join(tree, `entry/${entry}.d.ts`), 'utf8'))
    const text = `export * from '${target}'\n${hasDefault ? `export { default } from '${target}'\n` : ''}`
    writeFileSync(join(dist, `esm/${entry}.d.ts`), text)
    mkdirSync(join(dist, 'cjs'), { recursive: true })
    writeFileSync(join(dist, `cjs/${entry}.d.ts`), text)
  }
  mkdirSync(join(dist, 'esm/pkg'))
  cpSync(built('heartline_glue.d.ts'), join(dist, 'esm/pkg/heartline_glue.d.ts'))
  for (const folder of ['types', 'pkg']) cpSync(join(dist, 'esm', folder), join(dist, 'cjs', folder), { recursive: true })
}

/** Node's ESM resolution wants the extension that the sources leave out. */
function withExtensions(file, text) {
  return text.replace(/((?:from|import)\s*\(?\s*['"])(\.[^'"]+)(['"])/g, (whole, before, path, after) => {
    if (/\.(js|json|wasm)$/.test(path)) return whole
    const isFolder = existsSync(join(dirname(file), path)) && statSync(join(dirname(file), path)).isDirectory()
    return `${before}${path}${isFolder ? '/index' : ''}.js${after}`
  })
}

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((item) =>
    item.isDirectory() ? walk(join(folder, item.name)) : [join(folder, item.name)],
  )
}

/** The module lies at the root of the package, where an app's build copies it from; the licences too. */
function besides() {
  for (const name of ['LICENSE', 'LICENSE-MIT', 'LICENSE-APACHE']) cpSync(join(root, '..', name), join(root, name))
  cpSync(built('heartline.wasm'), join(root, 'heartline.wasm'))
  cpSync(built('heartline.wasm.br'), join(root, 'heartline.wasm.br'))
}

/** A file that the wasm build left in `pkg/`. */
function built(name) {
  const path = join(root, 'pkg', name)
  if (!existsSync(path)) throw new Error(`js-shim/pkg/${name} is missing: run \`cargo xtask wasm\` first`)
  return path
}
