// The numbers of the boundary stand in two files; here they are held together.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { shim } from './support/bundle.mjs'

const rust = readFileSync(join(shim, '../client-core/src/boundary/codes.rs'), 'utf8')
const script = readFileSync(join(shim, 'src/core/codes.ts'), 'utf8')

/** Name to number of the constants with this prefix. */
function constants(prefix) {
  const found = [...rust.matchAll(new RegExp(`pub const ${prefix}_(\\w+): u32 = (\\d+);`, 'g'))]
  assert.ok(found.length > 0, `no ${prefix}_ in codes.rs`)
  return Object.fromEntries(found.map(([, name, number]) => [name, Number(number)]))
}

for (const [prefix, name] of Object.entries({ IN: 'In', OUT: 'Out', FATE: 'Fate', PHASE: 'PhaseCode' })) {
  test(`${name} is ${prefix}_`, () => {
    const body = new RegExp(`enum ${name} \\{([^}]*)\\}`).exec(script)[1]
    const found = [...body.matchAll(/(\w+) = (\d+)/g)].map(([, key, number]) => [key, Number(number)])
    assert.deepEqual(Object.fromEntries(found), constants(prefix))
  })
}

for (const [prefix, name] of Object.entries({ UNSENT: 'UNSENT', CLOSE: 'CLOSE', OPTION: 'OPTIONS' })) {
  test(`${name} has an entry for each ${prefix}_, in its order`, () => {
    const body = new RegExp(`const ${name} = \\[([^\\]]*)\\]`).exec(script)[1]
    const numbers = Object.values(constants(prefix))
    assert.deepEqual(numbers, numbers.map((_, at) => at))
    assert.equal(body.match(/'[^']+'/g).length, numbers.length)
  })
}

test('the names of the options say what the core calls them', () => {
  const body = /const OPTIONS = \[([^\]]*)\]/.exec(script)[1]
  const names = body.match(/'[^']+'/g).map((name) => name.slice(1, -1).replace(/[A-Z]/g, (c) => `_${c}`).toUpperCase())
  const expected = Object.keys(constants('OPTION'))
  expected[expected.indexOf('RECONNECT_FIXED_MS')] = 'RECONNECT_TIME'
  assert.deepEqual(names, expected)
})
