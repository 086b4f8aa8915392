// What is shipped must run on the oldest engines: ES2015 syntax, no work and no platform lookups at import time.
import test from 'node:test'
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { execFileSync } from 'node:child_process'
import { parse } from 'acorn'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const shipped = ['esm', 'cjs'].flatMap((format) =>
  readdirSync(join(root, 'dist', format))
    .filter((file) => file.endsWith('.js'))
    .map((file) => ({ format, file, path: join(root, 'dist', format, file) })),
)

test('every entry point is built in both formats', () => {
  for (const entry of ['index.js', 'compat.js', 'vue.js', 'testing.js', 'vite.js']) {
    assert.equal(shipped.filter(({ file }) => file === entry).length, 2, entry)
  }
})

for (const { format, file, path } of shipped) {
  test(`${format}/${file} is ES2015`, () => {
    // The one newer thing let through: a dynamic import, which bundlers replace.
    const text = readFileSync(path, 'utf8').replace(/\bimport\(/g, 'import_(')
    parse(text, { ecmaVersion: 2015, sourceType: format === 'esm' ? 'module' : 'script' })
  })
}

test('the gate itself refuses what mini-program compilers do not lower', () => {
  for (const text of ['a ?? b', 'a?.b', '10n', 'async () => {}', '({ ...a })', 'a ** b']) {
    assert.throws(() => parse(text, { ecmaVersion: 2015 }), text)
  }
})

test('importing touches no platform object, starts no timer and changes no global', () => {
  const script = `
    const touched = []
    for (const name of ['uni', 'wx', 'my', 'tt', 'qq', 'plus', 'getApp', 'jwt', 'WebSocket', 'WebAssembly', 'WXWebAssembly', 'document']) {
      Object.defineProperty(globalThis, name, { configurable: true, get: () => (touched.push(name), undefined) })
    }
    for (const name of ['setTimeout', 'setInterval']) {
      const real = globalThis[name]
      globalThis[name] = (...args) => (touched.push(name), real(...args))
    }
    const before = Object.getOwnPropertyNames(globalThis).join()
    for (const entry of ['index', 'compat', 'testing', 'vite']) await import(${JSON.stringify(pathToFileURL(join(root, 'dist/esm')).href)} + '/' + entry + '.js')
    if (Object.getOwnPropertyNames(globalThis).join() !== before) touched.push('a new global')
    console.log(JSON.stringify(touched))`
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  assert.deepEqual(JSON.parse(output), [])
})

test('uni and wx stay free identifiers, for the compilers that rewrite them', () => {
  const text = readFileSync(join(root, 'dist/esm/index.js'), 'utf8')
  assert.match(text, /typeof uni !== "undefined"/)
  assert.match(readFileSync(join(root, 'dist/esm/compat.js'), 'utf8'), /[^.\w]uni\.showToast\(/)
  assert.doesNotMatch(text, /(globalThis|window|self)\.(uni|wx)\b/)
})

test('the shortened inner members are nobody else\'s: not of the API, not of a host', () => {
  const inner = JSON.parse(readFileSync(join(root, 'scripts/inner-members.json'), 'utf8'))
  assert.ok(inner.length > 0)
  const declared = ['core/options', 'core/error', 'types', 'host/api'].map((name) => join(root, `dist/esm/types/${name}.d.ts`))
  for (const file of declared) {
    const text = readFileSync(file, 'utf8')
    for (const name of inner) assert.doesNotMatch(text, new RegExp(`^\\s+(readonly )?${name}\\??[(:<]`, 'm'), `${name} in ${file}`)
  }
  const shippedText = readFileSync(join(root, 'dist/esm/index.js'), 'utf8')
  for (const name of inner) assert.doesNotMatch(shippedText, new RegExp(`\\.${name}\\b`), name)
})
