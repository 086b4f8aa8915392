// A platform's clock that jumps while its timers do not: a phone that slept, or a clock that was set.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { core, wasmBytes } from './support/bundle.mjs'
import { ScriptedHost, settle } from './support/host.mjs'

const { createClient, webHost } = await core()
const HOUR = 3600000
const realNow = Date.now

/** Its timers ring by `time`; its clock is made from `Date.now`, as every platform's is, and shows `time + jump`. */
class WallHost extends ScriptedHost {
  jump = 0
  constructor() {
    super()
    Date.now = () => 1700000000000 + this.time + this.jump
    this.now = webHost().now
  }
}

for (const [engine, wasm] of [['wasm', wasmBytes()], ['js', false]]) {
  const story = (name, run) =>
    test(`${engine}: ${name}`, async () => {
      try {
        await run()
      } finally {
        Date.now = realNow
      }
    })

  /** A client that has been logged in for a while: its timers were set before the clock jumps. */
  async function ready() {
    const host = new WallHost()
    const line = createClient({ url: 'wss://test', credentials: () => ({ u: 'user:6', token: 'secret' }), wasm, host })
    const ends = []
    line.listen('disconnect', ({ reason }) => ends.push([reason, host.time]))
    await line.loaded
    line.start()
    host.last.welcome()
    await host.advance(10500)
    assert.equal(line.isLogin, true)
    return { host, line, ends, from: host.time }
  }

  /** When it was settled, in the timers' time, and how. */
  const fate = (host, promise) => {
    const found = {}
    promise.catch((error) => Object.assign(found, { code: error.code, at: host.time }))
    return found
  }

  for (const [way, jump, deadAfter] of [
    ['an hour forward', HOUR, 3000],
    // Nothing shows that time has passed: the line's own interval and grace find it. What passed since the clock was last
    // read is lost with a step back.
    ['an hour back', -HOUR, 35000],
    ['seven seconds forward', 7000, 35000 - 10500],
    ['not at all', 0, 35000 - 10500],
  ]) {
    story(`the clock jumps ${way}: a request times out in its time, a dead line is found`, async () => {
      const { host, line, ends, from } = await ready()
      host.jump = jump
      const asked = fate(host, line.request('response', {}, { timeoutMs: 2900 }))
      const usual = fate(host, line.request('response', {}))
      await host.advance(45000)
      assert.equal(asked.code, 'timed_out')
      assert.ok(Math.abs(asked.at - from - 2900) <= 1, `2900 ms took ${asked.at - from}`)
      assert.ok(usual.at - from <= 15001, `the usual 15 s took ${usual.at - from}`)
      assert.equal(ends[0][0], 'dead')
      assert.ok(ends[0][1] - from <= deadAfter + 1, `found after ${ends[0][1] - from} ms, not ${deadAfter}`)
      line.destroy()
    })

    story(`the clock jumps ${way}, and nothing is asked: a dead line is found within the interval and the grace`, async () => {
      const { host, line, ends, from } = await ready()
      host.jump = jump
      await host.advance(45000)
      assert.equal(ends[0][0], 'dead')
      assert.ok(ends[0][1] - from <= 35001 - 10500, `found after ${ends[0][1] - from} ms`)
      line.destroy()
    })
  }

  story('a clock that jumps forth and back at each second delays nothing', async () => {
    const { host, line, ends, from } = await ready()
    const asked = fate(host, line.request('response', {}, { timeoutMs: 30000 }))
    for (let second = 0; second < 45; second++) {
      host.jump = second % 2 ? 0 : 4000
      await host.advance(1000)
    }
    assert.equal(ends[0][0], 'dead')
    assert.ok(ends[0][1] - from <= 35001, `found after ${ends[0][1] - from} ms`)
    assert.ok(asked.at - from <= 30001, `30 s took ${asked.at - from}`)
    line.destroy()
  })

  story('the first request after a jump has an id of its own: what refuses it rejects it, what answers the probe does not', async () => {
    const { host, line } = await ready()
    host.jump = HOUR
    let outcome
    const asked = line.request('response', {}).then(
      () => (outcome = 'resolved'),
      (error) => (outcome = error.code),
    )
    const [probe, request] = [host.last.last('ping'), host.last.last('response')]
    assert.ok(probe, 'the line is probed')
    const ids = host.last.frames.map((frame) => frame.uuid)
    assert.equal(new Set(ids).size, ids.length, `one id twice: ${ids}`)
    host.last.reply(probe)
    await settle()
    assert.equal(outcome, undefined, 'the answer to the probe is none to the request')
    host.last.reply(request, 1)
    await asked
    assert.equal(outcome, 'refused')
    line.destroy()
  })
}
