// The packed package, installed and used as users do: node ESM and CJS, vite, webpack 4's resolver, TypeScript.
import test, { after, before } from 'node:test'
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createRequire } from 'node:module'
import { build } from 'vite'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const require = createRequire(import.meta.url)
let project
let tarball

before(() => {
  project = mkdtempSync(join(tmpdir(), 'heartline-packaging-'))
  const npm = (args, cwd) => execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  const [{ filename }] = JSON.parse(npm(['pack', '--json', '--pack-destination', project], root))
  tarball = join(project, filename)
  writeFileSync(join(project, 'package.json'), '{ "private": true }')
  npm(['install', '--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', `./${filename}`], project)
  // Vue is the app's own dependency; here it is borrowed from ours.
  symlinkSync(join(root, 'node_modules/vue'), join(project, 'node_modules/vue'))
  cpSync(join(root, 'packaging'), project, { recursive: true })
})
after(() => rmSync(project, { recursive: true, force: true }))

const run = (file) => execFileSync(process.execPath, [file], { cwd: project, encoding: 'utf8' })
const works = { isLogin: true, refusedIsOurs: true, sameClass: true, functions: Array(5).fill('function') }

test('the tarball holds what is needed and nothing else', () => {
  const installed = join(project, 'node_modules/heartline')
  for (const file of ['heartline.wasm', 'heartline.wasm.br', 'dist/esm/compat.js', 'dist/cjs/vue.d.ts', 'README.zh-CN.md', 'LICENSE-MIT']) {
    assert.ok(existsSync(join(installed, file)), `${file} is missing`)
  }
  for (const file of ['src', 'test', 'tools', 'pkg', 'packaging', 'scripts', 'tsconfig.json']) {
    assert.ok(!existsSync(join(installed, file)), `${file} should not be shipped`)
  }
})

test('node, ES modules; with the shipped wasm, and without', () => {
  assert.deepEqual(JSON.parse(run('node-esm/main.mjs')), { engines: ['js', 'wasm'], ...works })
})

test('node, CommonJS', () => {
  assert.deepEqual(JSON.parse(run('node-cjs/main.cjs')), works)
})

test('the wasm files can be found by name', () => {
  const find = createRequire(join(project, 'main.js')).resolve
  const bytes = readFileSync(find('heartline/heartline.wasm'))
  assert.deepEqual([...bytes.subarray(0, 4)], [0, 0x61, 0x73, 0x6d])
  assert.ok(find('heartline/heartline.wasm.br'))
  assert.ok(find('heartline/package.json'))
})

async function bundle(entry) {
  const result = await build({
    root: project,
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'es2015',
      rollupOptions: { external: ['vue'] },
      lib: { entry: join(project, 'vite', entry), formats: ['es'], fileName: 'out' },
    },
  })
  return [].concat(result)[0].output.map((chunk) => chunk.code || '').join('\n')
}

test('vite builds an app on it', async () => {
  assert.match(await bundle('whole.js'), /connectSocket gave no SocketTask/)
})

test("vite gives the wasm's address by ?url", async () => {
  assert.match(await bundle('wasm.js'), /data:application\/wasm;base64,AGFzbQ/)
})

test('vite drops what is not used: sideEffects is truly false', async () => {
  const nothing = await bundle('nothing.js')
  assert.ok(nothing.length < 100, `something was kept:\n${nothing.slice(0, 2000)}`)
  const part = await bundle('part.js')
  assert.doesNotMatch(part, /onNetworkStatusChange|WXWebAssembly/)
  assert.ok(part.length < 12000, `${part.length} bytes for one small host`)
})

/** The chunks of an app whose build names those of packages as uni-app does. */
async function chunksNamedByUniApp(plugins) {
  const result = await build({
    root: project,
    configFile: false,
    logLevel: 'error',
    plugins,
    build: {
      write: false,
      minify: false,
      rollupOptions: {
        input: join(project, 'vite/whole.js'),
        preserveEntrySignatures: 'strict',
        external: ['vue'],
        output: { chunkFileNames: () => 'assets/..-node_modules-heartline-dist-esm-[name].[hash].js', entryFileNames: 'assets/[name].js' },
      },
    },
  })
  const { output } = [].concat(result)[0]
  const names = output.map((chunk) => chunk.fileName.replace('assets/', ''))
  const code = output.map((chunk) => chunk.code || '').join('\n')
  const imports = [...code.matchAll(/import\("([^"]*wasm2js[^"]*)"\)/g)].map((found) => found[1])
  return { names, imports }
}

test('heartline/vite: the chunk of the JavaScript build has a name that browsers resolve, also where uni-app names it', async () => {
  const plugins = { esm: (await import(join(project, 'node_modules/heartline/dist/esm/vite.js'))).default, cjs: createRequire(join(project, 'main.js'))('heartline/vite').heartline }
  for (const plugin of Object.values(plugins)) {
    const { names, imports } = await chunksNamedByUniApp([plugin()])
    assert.equal(imports.length, 1)
    assert.match(imports[0], /^\.\/node_modules-heartline/)
    assert.ok(names.includes(imports[0].slice(2)), `${imports[0]} is none of ${names}`)
  }
  // What it mends: without it the browser takes the name for a package's.
  assert.match((await chunksNamedByUniApp([])).imports[0], /^\.\.-node_modules/)
})

for (const [name, fields] of [['module', ['module', 'main']], ['main', ['main']]]) {
  test(`webpack 4 finds every entry point through "${name}", without exports`, () => {
    const { create } = require('enhanced-resolve')
    const resolve = create.sync({ mainFields: fields, extensions: ['.js', '.json'] })
    for (const entry of ['', '/compat', '/vue', '/testing', '/vite']) {
      const file = resolve({}, project, `heartline${entry}`)
      const folder = name === 'module' ? 'esm' : 'cjs'
      assert.ok(file.endsWith(`dist/${folder}/${entry ? entry.slice(1) : 'index'}.js`), file)
    }
  })
}

test('our own declarations have no errors, and need neither the DOM nor Node', () => {
  const folder = join(project, 'types-own')
  mkdirSync(folder)
  const installed = join(project, 'node_modules/heartline/dist')
  const files = ['esm', 'cjs'].flatMap((format) => ['index', 'compat', 'testing', 'vite'].map((entry) => `${installed}/${format}/${entry}.d.ts`))
  const compilerOptions = { strict: true, noEmit: true, target: 'ES2015', lib: ['ES2015'], types: [], skipLibCheck: false, module: 'Node16' }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
  typeCheck(folder)
})

function typeCheck(folder, compiler = 'typescript') {
  const tsc = join(root, 'node_modules', compiler, 'bin/tsc')
  try {
    execFileSync(process.execPath, [tsc, '-p', folder], { encoding: 'utf8' })
  } catch (error) {
    assert.fail(error.stdout)
  }
}

test('the declarations are read by the oldest TypeScript that is promised', () => {
  const folder = join(project, 'types-floor')
  mkdirSync(folder)
  // Without the composables: Vue's own declarations ask for a newer one.
  const text = readFileSync(join(project, 'types/modern.ts'), 'utf8')
    .replace(/^import .*heartline\/vue'$/m, '')
    .replace(/^(provideHeartline|onPush|const ready).*$/gm, '')
    .replace(', ready)', ', typeof stop)')
    .replace(/import (.*?)\{(.*)\} from/g, (_, before, names) => `import ${before}{${names.replace(/type /g, '')}} from`)
  writeFileSync(join(folder, 'old.ts'), text)
  const compilerOptions = { strict: true, noEmit: true, target: 'ES2015', lib: ['ES2015', 'DOM'], types: [], skipLibCheck: false, module: 'ESNext', moduleResolution: 'node' }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['old.ts'] }))
  assert.equal(require('typescript-floor/package.json').version, '4.1.6', 'README names this version')
  typeCheck(folder, 'typescript-floor')
})

test('beside Vue 2 it installs and runs; only `heartline/vue` says that it needs Vue 3', () => {
  const old = join(project, 'vue2')
  mkdirSync(old)
  cpSync(join(root, 'node_modules/vue2'), join(old, 'vue-2.6.14'), { recursive: true })
  const app = { private: true, dependencies: { vue: 'file:./vue-2.6.14' } }
  writeFileSync(join(old, 'package.json'), JSON.stringify(app))
  const npm = (...args) => execFileSync('npm', [...args, '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: old, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  npm('install')
  npm('install', tarball)
  assert.equal(JSON.parse(readFileSync(join(old, 'node_modules/vue/package.json'), 'utf8')).version, '2.6.14')
  writeFileSync(join(old, 'main.mjs'), `
    import { createHeartline } from 'heartline'
    import { UniSocketPromise } from 'heartline/compat'
    import { provideHeartline, useHeartline } from 'heartline/vue'
    const said = [provideHeartline, useHeartline].map((call) => { try { call({ on() {} }) } catch (error) { return error.message } })
    console.log(JSON.stringify([typeof createHeartline, typeof UniSocketPromise, ...said]))`)
  const [modern, classic, ...said] = JSON.parse(execFileSync(process.execPath, ['main.mjs'], { cwd: old, encoding: 'utf8' }))
  assert.deepEqual([modern, classic], ['function', 'function'])
  for (const sentence of said) assert.match(sentence, /heartline\/vue needs Vue 3\.2/)
})

const resolutions = [
  ['node', 'ESNext', 'modern.ts'],
  ['node16', 'Node16', 'modern.mts'],
  ['node16', 'Node16', 'modern.cts'],
  ['bundler', 'ESNext', 'modern.ts'],
]
for (const [moduleResolution, module, file] of resolutions) {
  test(`TypeScript, moduleResolution ${moduleResolution}, ${file}`, () => {
    const folder = join(project, `types-${moduleResolution}-${file}`)
    mkdirSync(folder)
    cpSync(join(project, 'types/modern.ts'), join(folder, file))
    const compilerOptions = {
      strict: true,
      noEmit: true,
      target: 'ES2017',
      lib: ['ES2017', 'DOM'],
      types: [],
      // Vue's own declarations are not ours to check; ours are checked above.
      skipLibCheck: true,
      module,
      moduleResolution,
    }
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }))
    typeCheck(folder)
  })
}
