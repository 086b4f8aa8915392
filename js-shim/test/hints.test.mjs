// What only development is told on the console. Bundlers put the value of NODE_ENV in its place; here Node has it.
import test from 'node:test'
import assert from 'node:assert/strict'
import { createHeartline } from 'heartline'
import { createFakeUni } from 'heartline/testing'

function watchConsole(t, environment) {
  const said = []
  const { warn } = console
  const { NODE_ENV } = process.env
  console.warn = (...words) => said.push(words.join(' '))
  process.env.NODE_ENV = environment
  t.after(() => {
    console.warn = warn
    if (NODE_ENV === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = NODE_ENV
  })
  return said
}

async function online(t, fake, u, url = 'wss://test') {
  const line = createHeartline({ url, host: fake.host, credentials: () => ({ u, token: 't' }) })
  t.after(() => line.destroy())
  line.start()
  await line.loaded
  await fake.advance(500)
  assert.equal(line.isLogin, true)
  return line
}

test("a second client of the same user at the same url is hot reload's remains: said once; a destroyed one is none", async (t) => {
  const said = watchConsole(t, 'development')
  const fake = createFakeUni()
  const first = await online(t, fake, 'user:6')
  await online(t, fake, 'user:7')
  await online(t, fake, 'user:6', 'wss://another')
  assert.deepEqual(said, [])
  first.destroy()
  const second = await online(t, fake, 'user:6')
  assert.deepEqual(said, [])
  fake.drop()
  await fake.advance(30000)
  assert.equal(second.isLogin, true)
  assert.deepEqual(said, [])
  await online(t, fake, 'user:6')
  fake.drop()
  await fake.advance(30000)
  assert.equal(said.length, 1)
  assert.match(said[0], /another client of this page is logged in at wss:\/\/test as user:6: destroy\(\) the former one/)
})

test('a first dial that fails is said once, with the words of the platform', async (t) => {
  const said = watchConsole(t, 'development')
  const fake = createFakeUni()
  fake.server.refuseDials = true
  const line = createHeartline({ url: 'wss://test', host: fake.host })
  t.after(() => line.destroy())
  const why = []
  line.listen('disconnect', ({ errMsg }) => why.push(errMsg))
  line.start()
  await line.loaded
  await fake.advance(60000)
  assert.ok(why.length > 3 && why[0])
  assert.deepEqual(said, [`heartline: cannot connect: ${why[0]}`])
})

test('in production, and where nobody says, nothing is told', async (t) => {
  for (const environment of ['production', '']) {
    const said = watchConsole(t, environment)
    const fake = createFakeUni()
    await online(t, fake, 'user:6')
    await online(t, fake, 'user:6')
    assert.deepEqual(said, [])
  }
})
