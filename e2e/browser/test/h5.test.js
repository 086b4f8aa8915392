// The uni-app example, built for H5, in a real browser against the real server.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Backend } from '../src/backend.js'
import { Phones } from '../src/phones.js'
import { BUILDS, LARAVEL } from '../src/places.js'
import { run } from '../src/processes.js'
import { HeartlineServer, PUSH_KEY } from '../src/server.js'
import { until } from '../src/until.js'

let server
let backend
let phones

before(async () => {
  server = await HeartlineServer.start()
  backend = await Backend.start(server, BUILDS.h5)
  phones = await Phones.start()
})

after(async () => {
  await phones?.stop()
  await backend?.stop()
  await server?.down()
})

/** A phone whose user has logged in through the page, and is online. */
async function loggedIn(id) {
  // Without `api=`: a page asks the backend that has served it.
  const phone = await phones.open(`${backend.url}/?server=${server.ws}`)
  await phone.type('user', id)
  await phone.tap('submit')
  await phone.lineSays('已上线')
  return phone
}

test('a user logs in, and pushes by PHP and by curl show up in the list, the badge and the chat', async () => {
  const phone = await phones.open(`${backend.url}/?server=${server.ws}&api=${backend.url}`)
  await phone.lineSays('未登录')
  await phone.picture('1-login')
  await phone.type('user', '6')
  await phone.tap('submit')
  await phone.lineSays('已上线')
  await phone.sees('有什么可以帮您？')

  // The list fetches itself again when the backend, in PHP, says that it changed.
  backend.rooms = [{ id: '9', title: '订单 1001', last: '买家已付款' }, ...backend.rooms]
  await php('chat_list', 'user:6', 'reload')
  await phone.sees('买家已付款')

  // A notice by curl: the badge on the tab bar, and the text on its page.
  await curl('user_tabbar', 'user:6', '{"text":"您的订单已发货","badge":3}')
  await phone.badgeShows('3')
  await phone.picture('2-list-and-badge')
  await phone.tab('通知')
  await phone.sees('您的订单已发货')
  await phone.page.locator('.uni-tabbar__badge').first().waitFor({ state: 'detached' })
  await phone.picture('3-notice')

  // A chat message by PHP, then one that the page itself says through its backend.
  await phone.tab('会话')
  await phone.tap('room-1')
  await php('chat1', 'user:6', '{"from":"客服","text":"您好，需要帮助吗？"}')
  await phone.sees('您好，需要帮助吗？')
  await phone.type('draft', '请问什么时候到？')
  await phone.tap('send')
  await phone.at('message').filter({ hasText: '您好' }).waitFor()
  await phone.page.getByTestId('message').filter({ hasText: '请问什么时候到？' }).waitFor()
  assert.equal(await phone.page.getByTestId('message').count(), 2, 'each message stands there once')
  await until('the draft is empty again', async () => (await phone.at('draft').locator('input').inputValue()) === '')
  await phone.picture('4-chat')
  assert.deepEqual(phone.problems, [])
})

test('two phones of one user receive, the phone of another user does not', async () => {
  const [first, second, other] = [await loggedIn('21'), await loggedIn('21'), await loggedIn('22')]
  for (const phone of [first, second, other]) await phone.tap('room-1')
  await server.push('chat1', 'user:21', { from: '客服', text: '只给 21' })
  await first.sees('只给 21')
  await second.sees('只给 21')
  // What comes later has come: so what was sent before it and is not there was not delivered.
  await server.push('chat1', 'user:22', { from: '客服', text: '只给 22' })
  await other.sees('只给 22')
  assert.equal(await other.page.getByTestId('message').count(), 1)
  assert.equal(await first.page.getByTestId('message').count(), 1)
})

test('the server is killed and comes back: the page is online again by itself, and receives', async () => {
  const phone = await loggedIn('31')
  await server.push('chat1', 'user:31', '重启之前')
  await phone.sees('重启之前')
  await server.down()
  await phone.page.getByTestId('line-text').filter({ hasText: /已断开|正在连接/ }).first().waitFor()
  await phone.picture('5-server-gone')
  await sleep(1_500)
  await server.up()
  await phone.lineSays('已上线')
  await server.push('chat1', 'user:31', '重启之后')
  await phone.sees('重启之后')
  await phone.tab('连接')
  await phone.picture('6-back-after-restart')
  assert.deepEqual(phone.problems, [])
})

test('switching user needs no new page: the former user is heard no more', async () => {
  const phone = await loggedIn('41')
  await phone.tab('连接')
  await phone.tap('leave')
  await phone.type('user', '42')
  await phone.tap('submit')
  await phone.lineSays('已上线')
  await server.push('chat1', 'user:41', '给 41')
  await server.push('chat1', 'user:42', '给 42')
  await phone.sees('给 42')
  assert.equal(await phone.page.getByText('给 41', { exact: true }).count(), 0)
})

test('on a desktop the page keeps the width of a phone', async () => {
  const wide = { width: 1280, height: 800 }
  const phone = await phones.open(`${backend.url}/?server=${server.ws}`, wide)
  await phone.picture('10-desktop-login')
  await phone.type('user', '71')
  await phone.tap('submit')
  await phone.lineSays('已上线')
  await phone.sees('有什么可以帮您？')
  await phone.picture('11-desktop-list')
  for (const what of ['[data-testid=line]', '.card', '.uni-tabbar']) {
    const box = await phone.page.locator(what).filter({ visible: true }).first().boundingBox()
    assert.ok(box.width <= 520, `${what} is ${box.width} px wide`)
    const middle = box.x + box.width / 2
    assert.ok(Math.abs(middle - wide.width / 2) < 20, `${what} stands in the middle: ${middle}`)
  }
  await phone.tap('room-1')
  await phone.at('draft').waitFor()
  await phone.picture('12-desktop-chat')
  const foot = await phone.at('draft').boundingBox()
  assert.ok(foot.x >= (wide.width - 520) / 2 && foot.x + foot.width <= (wide.width + 520) / 2, JSON.stringify(foot))
})

test('the line runs on WebAssembly', async () => {
  const phone = await loggedIn('51')
  await phone.tab('连接')
  assert.equal(await phone.at('engine').innerText(), 'WebAssembly')
  assert.ok(backend.asked.includes('/static/heartline.wasm'), 'the wasm was fetched')
})

test('where the wasm cannot be had, the same core runs as JavaScript', async () => {
  backend.blocked = (pathname) => pathname.endsWith('.wasm')
  try {
    const phone = await loggedIn('61')
    await server.push('chat1', 'user:61', '没有 wasm 也收到')
    await phone.sees('没有 wasm 也收到')
    await phone.tab('连接')
    assert.equal(await phone.at('engine').innerText(), 'JavaScript')
    await phone.picture('7-without-wasm')
  } finally {
    backend.blocked = () => false
  }
})

/** A push through the PHP class of the Laravel example. */
async function php(event, to, msg) {
  const script = path.join(LARAVEL, 'tests/send.php')
  const hint = 'Install it: apt-get install php-cli php-curl'
  const env = { ...process.env, HEARTLINE_PUSH_KEY: PUSH_KEY }
  assert.equal(await run('php', [script, server.http, event, to, msg], { env, hint }), 'ok\n')
}

/** A push by curl, as the README shows it. */
async function curl(event, to, msg) {
  const form = ['-H', `Authorization: Bearer ${PUSH_KEY}`, '-d', 'type=app', '-d', `event=${event}`, '-d', `to=${to}`, '--data-urlencode', `msg=${msg}`]
  assert.equal(await run('curl', ['-sS', ...form, server.http], { hint: 'Install it: apt-get install curl' }), 'ok')
}
