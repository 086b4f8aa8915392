/**
 * `heartline/testing`: a fake `uni` for your own tests.
 *
 * ```js
 * const fake = createFakeUni({ platform: 'wechat', globalData: { isLogin: true } })
 * const restore = fake.install()          // uni, getApp, timers and Date.now
 * const line = createHeartline({ url: 'wss://test', credentials: () => ({ u: 'user:6', token: 't' }) })
 * line.start()
 * await line.loaded
 * await fake.advance(1000)
 * fake.server.push({ event: 'chat1', msg: 'hello' })
 * fake.drop(); await fake.advance(30000)  // it is back by itself
 * restore()
 * ```
 */
export { createFakeUni } from '../testing/fake'
export type { FakeUni, FakeUniOptions } from '../testing/fake'
export { FakeClock } from '../testing/clock'
export { FakeServer } from '../testing/server'
export type { ClientFrame, FakeConnection, FakeHandler } from '../testing/server'
export { FakeSocket } from '../testing/socket'
export type { FakePlatform, Traits } from '../testing/profile'
