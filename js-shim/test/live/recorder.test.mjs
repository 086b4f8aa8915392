// The flight recorder with nothing faked: what a page's core did is done again by the native core, to the same outputs.
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHeartline, durable, recorder, webHost } from 'heartline'
import { WebSocket } from 'ws'
import { both, engine } from '../support/engine.mjs'
import { startServer, token, until } from './support.mjs'

/** What the server's binary says of a trace. */
function replay(t, json, ...flags) {
  const folder = mkdtempSync(join(tmpdir(), 'heartline-trace-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'trace.json')
  writeFileSync(file, json)
  return spawnSync(process.env.HEARTLINE_SERVER_BIN, ['replay', file, ...flags], { encoding: 'utf8' })
}

async function lived(t, options) {
  const server = await startServer(t)
  const kept = new Map()
  const box = recorder(options)
  const line = createHeartline({
    url: server.url,
    host: webHost(WebSocket),
    wasm: engine.wasm,
    reconnectTime: 100,
    recorder: box,
    durable: durable({ device: 'phone-1', storage: { get: (key) => kept.get(key), set: (key, value) => void kept.set(key, value) } }),
    credentials: () => ({ u: 'user:6', token: token(6) }),
  })
  t.after(() => line.destroy())
  const heard = []
  line.on('chat*', (message) => void heard.push(message.msg))
  line.once('user_tabbar', (message) => Promise.resolve(heard.push(message.msg)))
  line.start()
  for (let life = 0; life < 3; life++) {
    await until(() => line.isLogin, 'the login')
    heard.length = 0
    await line.request('no such event', { secret: 'tea' }, { queue: true }).catch((error) => error)
    for (const event of ['chat1', 'chat1', 'user_tabbar', 'chat2']) await server.push('user:6', event, `hidden-${life}`)
    const address = `${server.url.replace('ws', 'http')}api/v1/push`
    await fetch(address, { method: 'POST', body: JSON.stringify({ to: 'user:6', event: 'chat3', msg: 'stored' }) })
    await until(() => heard.includes('stored'), 'the stored push')
    await new Promise((resolve) => setTimeout(resolve, 300))
    if (life === 0) line.disconnect()
    if (life === 1) {
      await server.stop('SIGKILL')
      await server.start()
    }
    await until(() => life === 2 || !line.isLogin, 'the loss').catch(() => {})
  }
  return box
}

both('a life of a real page is lived again natively, to the identical outputs', async (t) => {
  const box = await lived(t)
  const json = box.trace()
  for (const hidden of [token(6), 'secret', 'tea', 'hidden-', '127.0.0.1']) assert.ok(!json.includes(hidden), hidden)
  const { status, stdout } = replay(t, json)
  assert.match(stdout, /^life 1 \((wasm|js)\): \d+ calls, \d+ outputs: identical\n$/)
  assert.equal(status, 0)
  const { stdout: story } = replay(t, json, '--story')
  for (const said of ['Durable {', 'turn 0', 'persist', 'text "chat*"', 'ack']) assert.ok(story.includes(said), said)

  // The check can fail: one number changed is found.
  const changed = JSON.parse(json)
  const call = changed.lives[0].calls.findIndex(([name, , , outputs]) => name === 'feed' && outputs.length > 0)
  changed.lives[0].calls[call][3][1]++
  const other = replay(t, JSON.stringify(changed))
  assert.equal(other.status, 1)
  assert.match(other.stdout, new RegExp(`call ${call} went another way`))
})

both('a record that was too small is read, not replayed, and says so', async (t) => {
  const box = await lived(t, { maxCalls: 64 })
  const { lives } = JSON.parse(box.trace())
  assert.ok(lives[0].dropped > 0 && lives[0].calls.length <= 64)
  const { status, stdout } = replay(t, box.trace())
  assert.equal(status, 1)
  assert.match(stdout, /its beginning was not kept/)
})
