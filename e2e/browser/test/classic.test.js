// The classic class in an existing project: in a browser, and as a mini-program in the sandbox.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Backend } from '../src/backend.js'
import { Phones } from '../src/phones.js'
import { BUILDS } from '../src/places.js'
import { MiniProgram } from '../src/sandbox/mini-program.js'
import { FREEZE_AFTER_MS } from '../src/sandbox/runtime.js'
import { HeartlineServer, token } from '../src/server.js'
import { until } from '../src/until.js'

const TOAST = '上线成功'
let server

before(async () => {
  server = await HeartlineServer.start()
})

after(() => server?.down())

test('in a browser: the toast, a push, an answer to ping, and all again after a restart of the server', async () => {
  const backend = await Backend.start(server, BUILDS.classicH5)
  const phones = await Phones.start()
  try {
    const phone = await phones.open(`${backend.url}/?server=${server.ws}`)
    await sleep(500)
    assert.equal(await phone.page.locator('uni-toast').count(), 0, 'nobody is logged in: no attempt')
    await phone.type('user', '301')
    await phone.type('token', token('301'))
    await phone.tap('login')
    await phone.page.locator('uni-toast p').filter({ hasText: TOAST }).waitFor()
    await phone.picture('8-classic-toast')
    await server.push('chat1', 'user:301', '经典推送')
    await phone.at('message').filter({ hasText: '经典推送' }).waitFor()
    await phone.tap('ping')
    await phone.at('state').filter({ hasText: 'PING检查连接可用' }).waitFor()

    await phone.page.locator('uni-toast').first().waitFor({ state: 'hidden' })
    await server.down()
    await sleep(1_000)
    await server.up()
    await phone.page.locator('uni-toast p').filter({ hasText: TOAST }).waitFor()
    await server.push('chat1', 'user:301', '重启之后')
    await phone.page.getByTestId('message').filter({ hasText: '重启之后' }).waitFor()
    await phone.picture('9-classic-after-restart')
    assert.deepEqual(phone.problems, [])
  } finally {
    await phones.stop()
    await backend.stop()
  }
})

for (const wasm of [true, false]) {
  test(`as a mini-program ${wasm ? 'with WXWebAssembly' : 'without any WebAssembly'}: toast, push, restart, background`, async () => {
    const id = wasm ? '311' : '321'
    const storage = { server: server.ws, user: { user_id: id, socket_token: token(id) } }
    const program = MiniProgram.launch({ folder: BUILDS.classicMp, wasm, storage })
    const look = () => [program.pages.text(), ...program.logs.slice(-20), ...program.runtime.problems.map((error) => error.stack)].join('\n')
    const sees = (text) => until(`the page shows ${text}`, () => program.pages.text().includes(text), look)
    const toasts = (count) => until(`toast number ${count}`, () => program.toasts.length >= count, look)
    try {
      await toasts(1)
      assert.deepEqual(program.toasts[0], { title: TOAST, icon: 'none', duration: 2000 })
      await server.push('chat1', `user:${id}`, '经典推送')
      await sees('经典推送')

      await server.down()
      await sleep(500)
      await server.up()
      await toasts(2)
      await server.push('chat1', `user:${id}`, '重启之后')
      await sees('重启之后')

      program.runtime.hide()
      await sleep(FREEZE_AFTER_MS + 500)
      assert.equal(program.runtime.sockets.size, 0, 'the platform has cut the socket')
      const shown = Date.now()
      program.runtime.show()
      await toasts(3)
      assert.ok(program.runtime.dials.at(-1) - shown < 1_000, 'the app was shown: no waiting for the interval of 5 s')
      await server.push('chat1', `user:${id}`, '回到前台')
      await sees('回到前台')

      assert.equal(program.toasts.length, 3, 'one toast for each login')
      assert.equal(program.runtime.sockets.size, 1)
      assert.deepEqual(program.runtime.problems, [])
      assert.equal(program.wasmPaths.length, wasm ? 1 : 0)
    } finally {
      program.stop()
    }
  })
}
