// The uni-app example, built for WeChat, in a sandbox that lacks what old engines lack, against the real server.
// Every story is told twice: with the path-only WXWebAssembly; and, as on old iOS, with no WebAssembly at all and a
// Promise made of timers.

import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Backend } from '../src/backend.js'
import { BUILDS } from '../src/places.js'
import { MiniProgram } from '../src/sandbox/mini-program.js'
import { FREEZE_AFTER_MS } from '../src/sandbox/runtime.js'
import { HeartlineServer } from '../src/server.js'
import { until } from '../src/until.js'

/** Stored pushes that the server keeps of one user. */
const KEPT = 20
/** The client's shortest delay between attempts, by default. */
const SHORTEST_BACKOFF_MS = 500

for (const wasm of [true, false]) {
  describe(wasm ? 'with WXWebAssembly' : 'without any WebAssembly, with a Promise made of timers', { concurrency: false }, () => {
    const id = wasm ? '101' : '201'
    const user = `user:${id}`
    let server
    let backend
    let program
    let storage

    before(async () => {
      server = await HeartlineServer.start(['--durable-event', 'chat*', '--store-max-messages', String(KEPT)])
      backend = await Backend.start(server, BUILDS.mp)
      storage = { 'heartline-demo-settings': { server: server.ws, api: backend.url } }
      program = MiniProgram.launch({ folder: BUILDS.mp, wasm, timerPromise: !wasm, storage })
    })

    after(async () => {
      program?.stop()
      await backend?.stop()
      await server?.down()
    })

    /** Waits until the page that is shown has `text` among its data. */
    const sees = (text) =>
      until(`the page shows ${text}`, () => program.pages.text().includes(text), () => story(program))

    /** How often the server has said that the login succeeded. */
    const logins = () => program.runtime.frames.filter((frame) => frame.includes('登录成功')).length

    /** Since `moment`, the line was dialled once, and sooner than any backoff would have allowed. */
    const dialledAtOnce = (moment) => {
      const delays = program.runtime.dials.filter((time) => time >= moment).map((time) => time - moment)
      assert.equal(delays.length, 1, `dialled after ${delays} ms`)
      assert.ok(delays[0] < SHORTEST_BACKOFF_MS, `dialled after ${delays[0]} ms: that was no "at once"`)
    }

    test('a user logs in on the login page', async () => {
      await until('the login page', () => program.pages.current.route === 'pages/login/login', () => story(program))
      await sees('未登录')
      program.pages.fire('user', 'input', { value: id })
      program.pages.fire('submit', 'tap')
      await until('the list page', () => program.pages.current.route === 'pages/list/list', () => story(program))
      await sees('已上线')
      await sees('有什么可以帮您？')
    })

    test('pushes reach the list, the badge and the chat', async () => {
      backend.rooms = [{ id: '9', title: '订单 1001', last: '买家已付款' }, ...backend.rooms]
      assert.equal(await server.push('chat_list', user, 'reload'), 'ok')
      await sees('买家已付款')
      assert.equal(await server.push('user_tabbar', user, { text: '您的订单已发货', badge: 3 }), 'ok')
      await until('the badge', () => program.badges[1] === '3', () => story(program))
      program.pages.navigateTo('/pages/chat/chat?room=1')
      assert.equal(await server.push('chat1', user, { from: '客服', text: '您好' }), 'ok')
      await sees('您好')
      assert.equal(await server.push('chat1', 'user:somebody-else', '与我无关'), 'ok')
      program.pages.fire('draft', 'input', { value: '什么时候到？' })
      program.pages.fire('send', 'tap')
      await sees('什么时候到？')
      assert.ok(!program.pages.text().includes('与我无关'))
    })

    test('the server is killed and comes back: online again by itself', async () => {
      await server.down()
      await until('the line is down', () => /已断开|正在连接/.test(program.pages.text()), () => story(program))
      await sleep(1_000)
      await server.up()
      await sees('已上线')
      await server.push('chat1', user, '重启之后')
      await sees('重启之后')
    })

    test('WeChat cuts the socket of a hidden app: back at once when it is shown', async () => {
      program.runtime.hide()
      await sleep(FREEZE_AFTER_MS + 500)
      assert.equal(program.runtime.sockets.size, 0, 'the platform has cut the socket')
      const before = logins()
      const shown = Date.now()
      program.runtime.show()
      await until('one more login', () => logins() === before + 1, () => story(program))
      dialledAtOnce(shown)
      await server.push('chat1', user, '回到前台')
      await sees('回到前台')
    })

    test('the network goes and comes: back at once', async () => {
      program.runtime.network(false)
      await until('the line is down', () => /网络不可用|已断开/.test(program.pages.text()), () => story(program))
      await sleep(500)
      const came = Date.now()
      program.runtime.network(true)
      await sees('已上线')
      dialledAtOnce(came)
    })

    test('the app is killed, and opened again: what came meanwhile is there, and nothing twice', async () => {
      await server.push('chat1', user, '关闭之前')
      await sees('关闭之前')
      program.stop()
      for (const text of ['关闭时一', '关闭时二']) assert.equal(await server.push('chat1', user, text), 'ok')
      program = MiniProgram.launch({ folder: BUILDS.mp, wasm, timerPromise: !wasm, storage })
      await sees('已上线')
      program.pages.navigateTo('/pages/chat/chat?room=1')
      await sees('关闭时二')
      const text = program.pages.text()
      assert.ok(text.indexOf('关闭时一') < text.indexOf('关闭时二'))
      assert.ok(!text.includes('关闭之前'), 'what was handled does not come again')
    })

    test('what is gone for good while the app was closed is named', async () => {
      program.stop()
      for (let n = 1; n <= KEPT + 3; n++) assert.equal(await server.push('chat1', user, `第${n}条`), 'ok')
      program = MiniProgram.launch({ folder: BUILDS.mp, wasm, timerPromise: !wasm, storage })
      await sees('已上线')
      program.pages.switchTab('/pages/notice/notice')
      await sees('有 3 条消息已过期')
    })

    test('one socket at the end, nothing thrown, and the core that this platform can have', async () => {
      assert.equal(program.runtime.sockets.size, 1)
      assert.deepEqual(program.runtime.problems, [])
      program.pages.switchTab('/pages/me/me')
      await sees(wasm ? '"WXWebAssembly"' : '"JavaScript"')
      assert.deepEqual(program.wasmPaths, wasm ? ['/static/heartline.wasm'] : [])
    })
  })
}

/** What to look at when something never came true. */
function story(program) {
  const { pages, logs, runtime } = program
  return [pages.current?.route, pages.current && pages.text(), ...logs.slice(-20), ...runtime.problems.map((error) => error.stack)].join('\n')
}
