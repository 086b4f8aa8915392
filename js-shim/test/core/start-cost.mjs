// How long a page waits from the import of the shipped package to the login, beside a plain hand-written client. The socket
// answers at once, so that only our own work is measured; the files come from the disk, as in a mini-program's package.
//
// node test/core/start-cost.mjs [ROUNDS]     each sample is a process of its own, and the contenders take turns
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { PromptSocket } from './support/prompt-socket.mjs'

const CONTENDERS = ['plain', 'wasm', 'js']
const user = { u: 'user:6', token: 't' }
const [word = '15'] = process.argv.slice(2)

if (CONTENDERS.includes(word)) {
  const begun = performance.now()
  await (word === 'plain' ? plain() : ours(word))
  console.log(performance.now() - begun)
  process.exit()
}

async function plain() {
  const { plainClient } = await import('./support/plain.mjs')
  await new Promise((ready) => plainClient(PromptSocket, 'ws://x', { ...user, handlers: {}, ready }))
}

async function ours(engine) {
  const { createHeartline, webHost } = await import('../../dist/esm/index.js')
  const wasm = engine === 'wasm' && readFileSync(new URL('../../heartline.wasm', import.meta.url))
  const line = createHeartline({ url: 'ws://x', host: webHost(PromptSocket), wasm, credentials: () => user })
  line.start()
  await new Promise((ready) => line.listen('login', ready))
  if (line.engine !== engine) throw new Error(`runs on ${line.engine}, not on ${engine}`)
}

const times = Object.fromEntries(CONTENDERS.map((name) => [name, []]))
for (let round = -1; round < Number(word); round++) {
  for (const name of CONTENDERS) {
    const ms = Number(execFileSync(process.execPath, [fileURLToPath(import.meta.url), name]))
    // The first round brings the files into the machine's memory.
    if (round >= 0) times[name].push(ms)
  }
}
for (const name of CONTENDERS) {
  const sorted = times[name].sort((a, b) => a - b)
  const at = (quantile) => sorted[Math.round(quantile * (sorted.length - 1))]
  console.log(JSON.stringify({ engine: name, ms: at(0.5), least: at(0.1), most: at(0.9) }))
}
