// What one push of some 200 bytes costs, from the socket's event to the page's callback, in the shipped package beside a
// plain hand-written client. `cargo xtask test --only cost` holds it to its budgets.
//
// node test/core/message-cost.mjs wasm|js [ROUNDS]      also with --jitless, which has no WebAssembly
//
// The two take turns in slices of some milliseconds, each turn gives a ratio, and the median of the ratios counts: what
// else the machine does meanwhile falls on both. One engine per process, as on a page.
import { readFileSync } from 'node:fs'
import { createHeartline, webHost } from 'heartline'
import { plainClient } from './support/plain.mjs'
import { PromptSocket } from './support/prompt-socket.mjs'

const [engine = 'wasm', rounds = '41'] = process.argv.slice(2)
const ROUNDS = Number(rounds)
/** The first rounds warm up. */
const WARM_UP = 10
const MESSAGES = 10_000
const EVENT = {
  data: JSON.stringify({
    event: 'chat1',
    msg: { id: 123456, from: 'user:42', text: 'x'.repeat(90), at: 1700000000000, unread: 3 },
    to: 'user:6',
    type: 'app',
  }),
}

let heard = 0
const callback = (message) => (heard += message.msg.unread)
const user = { u: 'user:6', token: 't' }

/** The socket of a hand-written client that is logged in. */
async function plain() {
  const handlers = { chat1: callback }
  await new Promise((ready) => plainClient(PromptSocket, 'ws://x', { ...user, handlers, ready }))
  return PromptSocket.last
}

/** The socket of one of ours, logged in, behind the adapter that browsers use. */
async function ours() {
  const wasm = engine === 'wasm' && readFileSync(new URL('../../heartline.wasm', import.meta.url))
  const line = createHeartline({ url: 'ws://x', host: webHost(PromptSocket), wasm, credentials: () => user })
  line.on('chat1', callback)
  line.start()
  await new Promise((ready) => line.listen('login', ready))
  if (line.engine !== engine) throw new Error(`runs on ${line.engine}, not on ${engine}`)
  return PromptSocket.last
}

const contenders = [await plain(), await ours()]
/** Nanoseconds per message. */
function slice(socket) {
  const start = process.hrtime.bigint()
  for (let n = 0; n < MESSAGES; n++) socket.onmessage(EVENT)
  return Number(process.hrtime.bigint() - start) / MESSAGES
}

const turns = []
for (let round = 0; round < WARM_UP + ROUNDS; round++) {
  // Each goes first every other time.
  const first = round & 1
  const times = []
  times[first] = slice(contenders[first])
  times[1 - first] = slice(contenders[1 - first])
  if (round >= WARM_UP) turns.push(times)
}
if (heard !== 3 * MESSAGES * (ROUNDS + WARM_UP) * contenders.length) throw new Error('a message was not heard')

const quantiles = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b)
  return [0.5, 0.1, 0.9].map((q) => sorted[Math.round(q * (sorted.length - 1))])
}
const [ratio, least, most] = quantiles(turns.map(([plain, ours]) => ours / plain))
const [plainNs] = quantiles(turns.map(([plain]) => plain))
const [oursNs] = quantiles(turns.map(([, ours]) => ours))
console.log(JSON.stringify({ engine, bytes: EVENT.data.length, plainNs, oursNs, ratio, least, most }))
process.exit()
