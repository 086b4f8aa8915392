// A classic page on a fake platform: the shipped class, a user, and a clock that the test moves.
import { UniSocketPromise } from 'heartline/compat'
import { createFakeUni } from 'heartline/testing'
import { engine } from './engine.mjs'

/** Everything a story needs. The clock stands at 0; nothing has been dialled. */
export async function classicApp(t, { platform = 'wechat', traits, isLogin = true, user = 6, before, ...options } = {}) {
  const fake = createFakeUni({ platform, traits, globalData: { isLogin } })
  const restore = fake.install()
  const jwt = { user_id: user, getUser: () => ({ user_id: jwt.user_id, socket_token: `token-${jwt.user_id}` }) }
  if (before) before(fake, jwt)
  const make = (more = {}) => {
    const made = new UniSocketPromise({ url: 'wss://test', jwt, ...options, ...more, client: { wasm: engine.wasm, ...options.client } })
    t.after(() => made.destroy())
    return made
  }
  const socket = make()
  t.after(restore)
  await socket.loaded
  return { fake, server: fake.server, socket, jwt, make, app: fake.app }
}

/** The same, in a loop and logged in. */
export async function onlineApp(t, options) {
  const story = await classicApp(t, options)
  story.socket._connectionLoop()
  await story.fake.advance(500)
  if (!story.socket.IsLogin) throw new Error('the classic page did not come online within half a second')
  return story
}

/** What becomes of a promise: 'pending', or ['resolved', value], or ['rejected', reason]. */
export function watch(promise) {
  const fate = { state: 'pending', value: undefined, count: 0 }
  const settle = (state) => (value) => Object.assign(fate, { state, value, count: fate.count + 1 })
  promise.then(settle('resolved'), settle('rejected'))
  return fate
}
