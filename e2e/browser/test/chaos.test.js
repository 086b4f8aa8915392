// Every real client behind a proxy that treats lines badly, while the server is killed and the clients are too: each stored push reaches each
// device once and in order. `HEARTLINE_CHAOS_SECONDS` says how long (60 unless it is set), `HEARTLINE_CHAOS_SEED` with which seed.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { WebSocket } from 'ws'
import { Backend } from '../src/backend.js'
import { Chaos } from '../src/chaos.js'
import { Phones } from '../src/phones.js'
import { listenerBinary, ROOT } from '../src/places.js'
import { HeartlineServer, PUSH_HEADERS, USER_KEY, token } from '../src/server.js'
import { until } from '../src/until.js'

const SECONDS = Number(process.env.HEARTLINE_CHAOS_SECONDS || 60)
const SEED = Number(process.env.HEARTLINE_CHAOS_SEED || Date.now() % 1_000_000)
const SHIM = path.join(ROOT, 'js-shim')
const USER = 'user:91'
/** Half-open lines are to be found out soon. */
const LINE = { reconnect: { minMs: 50, maxMs: 1_000 }, heartbeatMs: 1_500, heartbeatGraceMs: 1_000, dialTimeoutMs: 2_000, loginTimeoutMs: 2_000 }

/** What a device has heard, held to the promise as it comes. */
class Ear {
  constructor(name) {
    Object.assign(this, { name, last: 0, repeats: 0, kills: 0, gaps: [] })
  }
  hear(n) {
    if (n === this.last) this.repeats++
    else if (n === this.last + 1) this.last = n
    else this.broken = this.broken || `${n} after ${this.last}`
  }
}

test(`no push is lost or doubled in ${SECONDS} s of chaos`, { timeout: (SECONDS + 150) * 1_000 }, async (t) => {
  console.log(`# seed ${SEED}`)
  const folder = await mkdtemp(path.join(tmpdir(), 'heartline-chaos-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const server = await HeartlineServer.start([
    ...['--store-path', path.join(folder, 'store'), '--ping-interval-ms', '2000', '--idle-timeout-ms', '6000'],
  ])
  t.after(() => server.down())
  const chaos = await Chaos.start(server.port, SEED)
  t.after(() => chaos.stop())

  const devices = [
    await inNode('node-wasm', await readFile(path.join(SHIM, 'heartline.wasm')), chaos.ws, t),
    await inNode('node-js', false, chaos.ws, t),
    await inChromium(chaos.ws, server, t),
    await native(chaos.ws, folder, t),
  ]
  for (const { name, kill, ear, isOn } of devices) {
    await until(`${name} to be logged in`, isOn)
    ear.kill = kill
  }

  chaos.rage()
  const end = Date.now() + SECONDS * 1_000
  let published = 0
  const publisher = (async () => {
    while (Date.now() < end) {
      while (!(await push(server, published + 1))) await sleep(20)
      published++
      await sleep(chaos.draw(12))
    }
  })()
  let serverKills = 0
  const killer = (async () => {
    for (let turn = 0; Date.now() < end; turn++) {
      await sleep(chaos.between([1_000, 2_500]))
      if (turn % 4 === 3) {
        await server.down()
        await sleep(chaos.draw(500))
        await server.up()
        serverKills++
      } else {
        const { ear, kill } = devices[chaos.draw(devices.length)]
        ear.kills++
        await kill()
      }
    }
  })()
  await Promise.all([publisher, killer])
  chaos.calm()

  for (const { ear } of devices) {
    await until(`${ear.name} to have all ${published} (it has ${ear.last})`, () => ear.last >= published || ear.broken, () => String(ear.last))
    assert.equal(ear.broken, undefined, `${ear.name}, seed ${SEED}`)
    assert.equal(ear.last, published)
    assert.deepEqual(ear.gaps, [], ear.name)
    assert.ok(ear.repeats <= ear.kills, `${ear.name}: ${ear.repeats} repeats after ${ear.kills} kills`)
    console.log(`# ${ear.name}: ${ear.last} pushes, killed ${ear.kills} times, ${ear.repeats} in hand came again`)
  }
  assert.ok(published > SECONDS * 5, `only ${published} pushes`)
  console.log(`# ${published} pushes, the server was killed ${serverKills} times; lines: ${JSON.stringify(chaos.done)}`)
})

async function push(server, n) {
  try {
    const body = JSON.stringify({ to: USER, event: 'chat1', msg: n, id: `chaos-${n}` })
    const { status } = await fetch(`${server.http}/api/v1/push`, { method: 'POST', headers: PUSH_HEADERS, body })
    return status === 200
  } catch {
    return false
  }
}

/** The package in Node: its life ends without a word, and the next one has its storage. */
async function inNode(name, wasm, url, t) {
  const { createHeartline, durable, webHost } = await import(pathToFileURL(path.join(SHIM, 'dist/esm/index.js')))
  const ear = new Ear(name)
  const kept = new Map()
  const storage = { get: (key) => kept.get(key), set: (key, value) => void kept.set(key, value) }
  let line
  const live = () => {
    const credentials = () => ({ u: USER, token: token('91') })
    line = createHeartline({ ...LINE, url, wasm, host: webHost(WebSocket), credentials, durable: durable({ device: name, storage }) })
    line.on('chat*', async ({ msg }) => {
      // Killed here, it was never heard; killed behind, it was.
      const mine = line
      await sleep(msg % 7 === 0 ? 5 : 0)
      if (mine === line) ear.hear(msg)
    })
    line.listen('gap', (gap) => void ear.gaps.push(gap))
    line.start()
  }
  const kill = () => {
    line.destroy()
    live()
  }
  live()
  t.after(() => line.destroy())
  return { name, ear, kill, isOn: () => line.isLogin }
}

/** The package in a page of a real browser: reloaded without a word, its localStorage stays. */
async function inChromium(url, server, t) {
  const ear = new Ear('chromium')
  const backend = await Backend.start(server, SHIM)
  t.after(() => backend.stop())
  const phones = await Phones.start()
  t.after(() => phones.stop())
  const phone = await phones.open(`${backend.url}/package.json`)
  await phone.page.exposeFunction('heard', (n) => ear.hear(n))
  await phone.page.exposeFunction('missed', (gap) => void ear.gaps.push(gap))
  const live = () =>
    phone.page.evaluate(
      async ([url, user, token, line]) => {
        const { createHeartline, durable } = await import('/dist/esm/index.js')
        const client = createHeartline({ ...line, url, wasm: '/heartline.wasm', credentials: () => ({ u: user, token }), durable: durable({ device: 'chromium' }) })
        client.on('chat*', ({ msg }) => globalThis.heard(msg))
        client.listen('gap', (gap) => globalThis.missed(gap))
        client.start()
        globalThis.client = client
      },
      [url, USER, token('91'), LINE],
    )
  const kill = async () => {
    await phone.page.reload()
    await live()
  }
  await live()
  return { name: 'chromium', ear, kill, isOn: () => phone.page.evaluate(() => globalThis.client.isLogin) }
}

/** The native client in a process of its own, killed the hard way; its positions are in a file. */
async function native(url, folder, t) {
  const ear = new Ear('native')
  let child
  const live = () => {
    const flags = { url, user: USER, key: USER_KEY, device: 'native', positions: path.join(folder, 'positions.json'), 'max-delay-ms': 1000, 'heartbeat-ms': 1500 }
    child = spawn(listenerBinary(), Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]), { stdio: ['ignore', 'pipe', 'pipe'] })
    createInterface(child.stdout).on('line', (text) => ear.hear(JSON.parse(text).msg))
    createInterface(child.stderr).on('line', (text) => text.startsWith('Gap') && ear.gaps.push(text))
  }
  const kill = async () => {
    const ended = once(child, 'close')
    child.kill('SIGKILL')
    await ended
    live()
  }
  live()
  t.after(() => child.kill('SIGKILL'))
  // It says nothing when it is on: its position is in its file then.
  const isOn = () => readFile(path.join(folder, 'positions.json')).then(() => true, () => false)
  return { name: 'native', ear, kill, isOn }
}
