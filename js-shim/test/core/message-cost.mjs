// What one push of 200 bytes costs, from the socket's event to the page's callback, beside plain hand-written
// JavaScript that does the same by hand. Run: node test/core/message-cost.mjs [wasm|js], also with --jitless.
import { core, wasmBytes } from './support/bundle.mjs'
import { ScriptedHost } from './support/host.mjs'

const { createClient } = await core()
const jitless = process.execArgv.includes('--jitless')
const MESSAGES = jitless ? 20000 : 200000
const ROUNDS = 9
const TEXT = JSON.stringify({
  event: 'chat1',
  msg: { id: 123456, from: 'user:42', text: 'x'.repeat(90), at: 1700000000000, unread: 3 },
  to: 'user:6',
  type: 'app',
})

/** The classic client's work: parse, look at the kind, note the sign of life, call the callback. */
function plain(callback) {
  const handlers = { chat1: callback }
  let lastHeard = 0
  return {
    lastHeard: () => lastHeard,
    message(text) {
      let data
      try {
        data = JSON.parse(text)
      } catch (_) {
        return
      }
      lastHeard = Date.now()
      if (data.type === 'respon' || data.type === 'ping') return
      const handler = handlers[data.event]
      if (handler) {
        try {
          handler(data)
        } catch (error) {
          console.error(error)
        }
      }
    },
  }
}

async function heartline(wasm, callback) {
  const host = new ScriptedHost()
  host.now = () => Date.now()
  const line = createClient({ url: 'x', host, wasm, credentials: () => ({ u: 'user:6', token: 't' }) })
  line.on('chat1', callback)
  await line.loaded
  line.start()
  host.last.welcome()
  return { message: (text) => host.last.events.message(text), engine: line.engine }
}

let heard = 0
const callback = (message) => (heard += message.msg.unread)
const contenders = { plain: plain(callback), js: await heartline(false, callback) }
if (!jitless) contenders.wasm = await heartline(wasmBytes(), callback)

const times = Object.fromEntries(Object.keys(contenders).map((name) => [name, []]))
for (let round = -2; round < ROUNDS; round++) {
  for (const [name, { message }] of Object.entries(contenders)) {
    const start = process.hrtime.bigint()
    for (let n = 0; n < MESSAGES; n++) message(TEXT)
    // The first rounds warm up.
    if (round >= 0) times[name].push(Number(process.hrtime.bigint() - start) / MESSAGES)
  }
}
if (heard !== 3 * MESSAGES * (ROUNDS + 2) * Object.keys(contenders).length) throw new Error('a message was not heard')
const sorted = (name) => [...times[name]].sort((a, b) => a - b)
const median = (name) => sorted(name)[ROUNDS >> 1]
console.log(`${TEXT.length} bytes, ${MESSAGES} messages, ${ROUNDS} rounds${jitless ? ', without JIT' : ''}; ns per message:`)
for (const name of Object.keys(contenders)) {
  const [best, , worst] = [sorted(name)[0], 0, sorted(name)[ROUNDS - 1]]
  const ratio = (median(name) / median('plain')).toFixed(2)
  console.log(`${name.padEnd(6)} ${median(name).toFixed(0).padStart(6)} (${best.toFixed(0)}–${worst.toFixed(0)})  ${ratio} × plain`)
}
