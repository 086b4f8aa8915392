// A user's ES module: every entry point, and one login over the fake platform.
import { createHeartline, HeartlineError, detectHost } from 'heartline'
import UniSocketPromise, { UniSocketPromise as named } from 'heartline/compat'
import { provideHeartline, useHeartline, onPush, useConnection } from 'heartline/vue'
import { createFakeUni } from 'heartline/testing'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const fake = createFakeUni()
const line = createHeartline({ url: 'wss://test', host: fake.host, credentials: () => ({ u: 'user:6', token: 't' }) })
line.start()
await line.loaded
await fake.advance(1000)
const refusal = await Promise.all([line.request('nothing').catch((error) => error), fake.advance(1000)]).then(([error]) => error)

const wasm = readFileSync(createRequire(import.meta.url).resolve('heartline/heartline.wasm'))
const compiled = createHeartline({ url: 'wss://test', host: fake.host, wasm })
await compiled.loaded

console.log(
  JSON.stringify({
    engines: [line.engine, compiled.engine],
    isLogin: line.isLogin,
    refusedIsOurs: refusal instanceof HeartlineError,
    sameClass: UniSocketPromise === named,
    functions: [detectHost, provideHeartline, useHeartline, onPush, useConnection].map((each) => typeof each),
  }),
)
line.destroy()
compiled.destroy()
