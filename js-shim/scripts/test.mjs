// Runs every test under test/ with node's own runner. Names given on the command line narrow the choice.
// Those under test/live/ need the server's binary, named by HEARTLINE_SERVER_BIN.
import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawnSync } from 'node:child_process'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
if (!existsSync(join(root, 'dist/esm/index.js'))) {
  console.error('dist/ is missing: run `npm run build` first')
  process.exit(1)
}
const wanted = process.argv.slice(2)
const live = join(root, 'test/live')
const canGoLive = Boolean(process.env.HEARTLINE_SERVER_BIN) || wanted.some((part) => part.includes('live'))
const files = walk(join(root, 'test'))
  .filter((file) => canGoLive || !file.startsWith(live))
  .filter((file) => wanted.length === 0 || wanted.some((part) => file.includes(part)))
if (!canGoLive && wanted.length === 0) {
  console.error('test/live needs the server: build it (cargo build --release -p heartline-server) and name the binary in')
  console.error('HEARTLINE_SERVER_BIN, or name the tests to run, such as `npm test -- compat`')
  process.exit(1)
}
if (files.length === 0) {
  console.error(`no test matches ${wanted.join(' ')}`)
  process.exit(1)
}
const { status } = spawnSync(process.execPath, ['--test', ...files], { cwd: root, stdio: 'inherit' })
process.exit(status ?? 1)

function walk(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((item) => {
    if (item.isDirectory()) return walk(join(folder, item.name))
    return item.name.endsWith('.test.mjs') ? [join(folder, item.name)] : []
  })
}
