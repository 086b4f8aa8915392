// Durable streams on the real h5 page: what was pushed while it was closed is there when it opens, each once; gaps are named; and what its
// core did is done again natively.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { Backend } from '../src/backend.js'
import { Phones } from '../src/phones.js'
import { BUILDS, serverBinary } from '../src/places.js'
import { run } from '../src/processes.js'
import { HeartlineServer } from '../src/server.js'

const KEPT = 5

let folder
let server
let backend
let phones

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'heartline-h5-'))
  const store = ['--store-path', path.join(folder, 'store'), '--store-max-messages', String(KEPT)]
  server = await HeartlineServer.start([...store, '--durable-event', 'chat*'])
  backend = await Backend.start(server, BUILDS.h5)
  phones = await Phones.start()
})

after(async () => {
  await phones?.stop()
  await backend?.stop()
  await server?.down()
  if (folder) await rm(folder, { recursive: true, force: true })
})

const address = () => `${backend.url}/?server=${server.ws}&api=${backend.url}`

async function loggedIn(id) {
  const phone = await phones.open(address())
  await phone.type('user', id)
  await phone.tap('submit')
  await phone.lineSays('已上线')
  return phone
}

const say = (id, text) => server.push('chat1', `user:${id}`, { from: '客服', text })

/** The texts of the room that is open. */
const texts = (phone) => phone.page.getByTestId('message').allInnerTexts()

/** Which of these stand there, in their order, by the last word of each message. */
async function seen(phone, marks) {
  const all = (await texts(phone)).join('\n')
  return marks.filter((mark) => all.includes(mark)).sort((a, b) => all.indexOf(a) - all.indexOf(b))
}

test('what came while the page was closed is there when it opens, in order, and nothing twice', async () => {
  const phone = await loggedIn('71')
  await say('71', '甲一')
  await phone.tap('room-1')
  await phone.sees('甲一')

  await phone.page.waitForTimeout(300)
  // The server is killed meanwhile as well.
  const open = phones.reopen(phone, 'about:blank')
  const closed = await open
  for (const text of ['乙一', '乙二']) await say('71', text)
  await server.down()
  await server.up()
  await say('71', '乙三')
  await closed.page.goto(address())
  await closed.lineSays('已上线')
  await closed.tap('room-1')
  await closed.sees('乙三')
  await say('71', '丙一')
  await closed.sees('丙一')
  assert.deepEqual(await seen(closed, ['乙一', '乙二', '乙三', '丙一']), ['乙一', '乙二', '乙三', '丙一'])
  assert.equal((await texts(closed)).length, 4, 'the handled one did not come again')
  assert.deepEqual(closed.problems, [])
})

test('what is gone for good is named on the page', async () => {
  const phone = await loggedIn('72')
  await say('72', '开头')
  await phone.tap('room-1')
  await phone.sees('开头')
  await phone.page.waitForTimeout(300)
  const closed = await phones.reopen(phone, 'about:blank')
  for (let n = 1; n <= KEPT + 4; n++) await say('72', `第${n}条`)
  await closed.page.goto(address())
  await closed.lineSays('已上线')
  await closed.tap('room-1')
  await closed.sees(`第${KEPT + 4}条`)
  assert.equal((await texts(closed)).length, KEPT)
  await closed.page.goBack()
  await closed.tab('通知')
  await closed.sees('有 4 条消息已过期')

  // The folder is deleted: whatever came after the last message is unknown, and the page says so.
  await server.down()
  await rm(path.join(folder, 'store'), { recursive: true, force: true })
  await server.up()
  await closed.sees('服务器的消息记录已重新开始')
})

test('a recorded life of the page is lived again natively, to the identical outputs', async () => {
  const phone = await loggedIn('73')
  await phone.page.context().grantPermissions(['clipboard-read', 'clipboard-write'], { origin: backend.url })
  await phone.tap('room-1')
  for (const text of ['一', '二', '三']) await say('73', `记录${text}`)
  await phone.sees('记录三')
  await server.down()
  await phone.page.getByTestId('line-text').filter({ hasText: /已断开|正在连接/ }).first().waitFor()
  await server.up()
  await phone.lineSays('已上线')
  await say('73', '记录四')
  await phone.sees('记录四')
  await phone.page.goBack()
  await phone.tab('连接')
  await phone.tap('trace')
  const trace = await phone.page.evaluate(() => navigator.clipboard.readText())
  assert.ok(!trace.includes('记录') && !trace.includes(server.ws), 'no message and no address is in it')
  const file = path.join(folder, 'trace.json')
  await writeFile(file, trace)
  const said = await run(serverBinary(), ['replay', file])
  assert.match(said, /^life 1 \(wasm\): \d+ calls, \d+ outputs: identical\n$/)
})
