// The module with all its features, driven by hand: what the npm package leaves to JavaScript, the module can do itself.
// Run by `cargo xtask test`, which builds it and names it in HEARTLINE_WHOLE.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'

assert.ok(process.env.HEARTLINE_WHOLE, 'HEARTLINE_WHOLE names no module: run this by `cargo xtask test --only whole`')
const outputs = []
globalThis.heartlineEmit = (...numbers) => outputs.push(numbers)
const core = createRequire(import.meta.url)(process.env.HEARTLINE_WHOLE)

// The numbers of codes.rs.
const source = readFileSync(new URL('../../client-core/src/boundary/codes.rs', import.meta.url), 'utf8')
const code = (name) => Number(source.match(new RegExp(`pub const ${name}: \\w+ = (-?[\\d.]+);`))[1])

function client() {
  outputs.length = 0
  return core.create(7, 0)
}

test('started and logged in, a client dials, and says when it will give up', () => {
  const id = client()
  assert.equal(core.feed(id, code('IN_START'), 0, 0, 0, 0, 0), -1)
  const deadline = core.feed(id, code('IN_IDENTITY'), 0, 1, 0, 0, 0)
  assert.equal(deadline, 10_000)
  assert.deepEqual(outputs[0].slice(0, 3), [id, code('OUT_OPEN'), 1])
})

test('a snapshot and a line of JSON tell the same', () => {
  const id = client()
  core.feed(id, code('IN_START'), 0, 0, 0, 0, 0)
  core.feed(id, code('IN_IDENTITY'), 0, 1, 0, 0, 0)
  const { phase, next_request } = JSON.parse(core.diagnostics(id, 5))
  assert.equal(phase[0], code('PHASE_CONNECTING'))
  assert.deepEqual(core.snapshot(id, 5), phase)
  assert.equal(next_request, 1)
  assert.equal(core.diagnostics(999, 5), '')
  assert.equal(core.snapshot(999, 5), null)
})

test('the alarm rings in time', async () => {
  const begun = performance.now()
  assert.equal(await core.alarm(client(), 60), true)
  const took = performance.now() - begun
  assert.ok(took >= 58 && took < 5_000, `${took} ms`)
})

test('an alarm that is set anew, or whose client is gone, says that it did not ring', async () => {
  const id = client()
  const first = core.alarm(id, 30_000)
  const second = core.alarm(id, 30_000)
  assert.equal(await first, false)
  core.discard(id)
  assert.equal(await second, false)
})

test('misuse is told on the console', (t) => {
  const told = t.mock.method(console, 'warn', () => {})
  assert.equal(core.feed(client(), 250, 0, 0, 0, 0, 0), code('MISUSE_NO_SUCH_INPUT'))
  assert.equal(told.mock.callCount(), 1)
})
