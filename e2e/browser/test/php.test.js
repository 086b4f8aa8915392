// The Laravel example, under plain PHP, against the real server.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { readdirSync } from 'node:fs'
import path from 'node:path'
import { LARAVEL } from '../src/places.js'
import { run } from '../src/processes.js'
import { HeartlineServer, PUSH_KEY, USER_KEY } from '../src/server.js'

const HINT = 'Install it: apt-get install php-cli php-curl'
let server

before(async () => {
  server = await HeartlineServer.start()
})

after(() => server?.down())

test('every way in which PHP pushes reaches the devices as it should', async () => {
  const env = { ...process.env, HEARTLINE_URL: server.http, HEARTLINE_USER_KEY: USER_KEY, HEARTLINE_PUSH_KEY: PUSH_KEY }
  const output = await run('php', [path.join(LARAVEL, 'tests/push.php')], { env, hint: HINT })
  const [, checks] = /(\d+) checks, 0 failures\n$/.exec(output) || assert.fail(output)
  assert.ok(Number(checks) >= 89, `only ${checks} checks ran`)
})

test('the script fails when something is wrong', async () => {
  const env = { ...process.env, HEARTLINE_URL: server.http, HEARTLINE_USER_KEY: 'not the key' }
  await assert.rejects(run('php', [path.join(LARAVEL, 'tests/push.php')], { env, hint: HINT }), /login refused/)
})

test('each file to copy is valid PHP', async () => {
  const files = readdirSync(LARAVEL, { recursive: true }).filter((name) => name.endsWith('.php'))
  assert.ok(files.length >= 8)
  for (const file of files) {
    assert.match(await run('php', ['-l', path.join(LARAVEL, file)], { hint: HINT }), /No syntax errors/)
  }
})
