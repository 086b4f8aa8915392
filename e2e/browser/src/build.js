// Builds the two examples for both platforms, unless nothing that goes into them has changed. Two at a time.

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { BUILDS, ROOT, UNIAPP, chromiumBinary, serverBinary } from './places.js'
import { run } from './processes.js'

const SHIM = path.join(ROOT, 'js-shim')
const CLASSIC = path.join(ROOT, 'examples/uniapp-classic')
const SHARED = [path.join(SHIM, 'dist'), path.join(SHIM, 'heartline.wasm'), path.join(SHIM, 'package.json'), path.join(UNIAPP, 'package-lock.json'), path.join(UNIAPP, 'scripts')]

/** What to build, in two rows that run side by side: the platforms of one project share a cache. */
const ROWS = [
  [
    { script: 'build:h5', into: BUILDS.h5, from: UNIAPP },
    { script: 'build:mp-weixin', into: BUILDS.mp, from: UNIAPP },
  ],
  [
    { script: 'build:classic:h5', into: BUILDS.classicH5, from: CLASSIC },
    { script: 'build:classic:mp-weixin', into: BUILDS.classicMp, from: CLASSIC },
  ],
]

/** Brings all four builds up to date. */
export async function buildAll() {
  for (const needed of [path.join(SHIM, 'dist'), path.join(SHIM, 'heartline.wasm')]) {
    if (!existsSync(needed)) throw new Error(`${path.relative(ROOT, needed)} is missing: build the npm package first (cargo xtask npm)`)
  }
  if (!existsSync(path.join(UNIAPP, 'node_modules/@dcloudio'))) {
    console.log('npm ci in examples/uniapp (about 230 MB)')
    await run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: UNIAPP, timeout: 600_000 })
  }
  await Promise.all(ROWS.map(async (row) => {
    for (const build of row) await buildOne(build)
  }))
}

async function buildOne({ script, into, from }) {
  const inputs = fingerprint([path.join(from, 'src'), path.join(from, 'index.html'), path.join(from, 'vite.config.js'), path.join(from, 'package.json'), ...SHARED])
  const stamp = path.join(path.dirname(into), `.${path.basename(into)}.inputs`)
  if (existsSync(into) && existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs) return
  const started = Date.now()
  const output = await run('npm', ['run', '--silent', script], { cwd: UNIAPP })
  // `uni build` ends with 0 also when it built nothing of use.
  const proof = path.join(into, into.endsWith('h5') ? 'index.html' : 'app.json')
  if (!existsSync(proof) || !existsSync(path.join(into, 'static/heartline.wasm'))) throw new Error(`${script} left no ${proof}:\n${output}`)
  mkdirSync(path.dirname(stamp), { recursive: true })
  writeFileSync(stamp, inputs)
  console.log(`${script}: ${((Date.now() - started) / 1000).toFixed(1)} s`)
}

/** One hash over all files below `places`, without what a build itself puts there. */
function fingerprint(places) {
  const hash = createHash('sha256')
  const visit = (at) => {
    if (statSync(at).isDirectory()) {
      for (const name of readdirSync(at).sort()) visit(path.join(at, name))
    } else if (!at.endsWith('src/static/heartline.wasm')) {
      hash.update(path.relative(ROOT, at)).update(readFileSync(at))
    }
  }
  places.forEach(visit)
  return hash.digest('hex')
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  // Before minutes are spent: is there what the tests need?
  serverBinary()
  chromiumBinary()
  await run('php', ['-r', 'exit(extension_loaded("curl") ? 0 : 1);'], { hint: 'Install it: apt-get install php-cli php-curl' })
  const started = Date.now()
  await buildAll()
  console.log(`builds are up to date after ${((Date.now() - started) / 1000).toFixed(1)} s`)
}
