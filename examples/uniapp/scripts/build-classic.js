// Builds ../uniapp-classic with this project's packages (230 MB that need not be installed twice): puts a link
// to `node_modules` there, then runs the same `uni build` in that folder.
const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')

const here = path.resolve(__dirname, '..')
const classic = path.resolve(here, '../uniapp-classic')
const link = path.join(classic, 'node_modules')
if (!fs.existsSync(link)) fs.symlinkSync(path.join(here, 'node_modules'), link, 'junction')

const steps = [
  [path.join(here, 'scripts/copy-wasm.js'), path.join(classic, 'src')],
  [path.join(here, 'node_modules/@dcloudio/vite-plugin-uni/bin/uni.js'), 'build', ...process.argv.slice(2)],
]
for (const step of steps) {
  const { status } = spawnSync(process.execPath, step, { cwd: classic, stdio: 'inherit' })
  if (status !== 0) process.exit(status || 1)
}
