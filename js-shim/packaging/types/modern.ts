// What a strict TypeScript project writes, type-checked under every kind of module resolution.
import { createHeartline, HeartlineError, uniHost, type HeartlineClient, type Host } from 'heartline'
import UniSocketPromise, { UniSocketPromise as Named, type Jwt } from 'heartline/compat'
import { onPush, provideHeartline, useConnection, useHeartline } from 'heartline/vue'
import { createFakeUni, type FakeUni } from 'heartline/testing'

const fake: FakeUni = createFakeUni({ platform: 'app', traits: { lateCloseMs: 3000 } })
const host: Host = uniHost(fake.uni)
const line: HeartlineClient = createHeartline({ url: () => 'wss://test', host, credentials: async () => ({ u: 'user:6', token: 't' }) })
line.start()
const stop: () => void = line.on('chat*', (message) => console.log(message))
line.request('ask', { a: 1 }, { timeoutMs: 1000 }).catch((error: unknown) => {
  if (error instanceof HeartlineError) console.log(error.code)
})
// As the README has it.
line.request('ping').then((data) => console.log(data.body))
line.request<{ answer: number }>('ask').then(({ answer }) => answer.toFixed())
line.listen('disconnect', ({ reason, errMsg }) => console.log(reason, errMsg && errMsg.length))
provideHeartline(useHeartline())
onPush('user_tabbar', () => stop())
const ready: boolean = useConnection().value.isLogin

const jwt: Jwt = { getUser: () => ({ user_id: 6, socket_token: 't' }) }
const classic: Named = new UniSocketPromise({ url: 'wss://test', jwt })
classic._connectionLoop()
classic._send('ask', {}).then((data) => console.log(data.body, ready))
// @ts-expect-error A url is needed.
new UniSocketPromise({})
