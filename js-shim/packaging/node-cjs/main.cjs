// A user's CommonJS script: every entry point, and one login over the fake platform.
const { createHeartline, HeartlineError, detectHost } = require('heartline')
const compat = require('heartline/compat')
const { provideHeartline, useHeartline, onPush, useConnection } = require('heartline/vue')
const { createFakeUni } = require('heartline/testing')

async function main() {
  const fake = createFakeUni()
  const line = createHeartline({ url: 'wss://test', host: fake.host, credentials: () => ({ u: 'user:6', token: 't' }) })
  line.start()
  await line.loaded
  await fake.advance(1000)
  const [refusal] = await Promise.all([line.request('nothing').catch((error) => error), fake.advance(1000)])
  console.log(
    JSON.stringify({
      isLogin: line.isLogin,
      refusedIsOurs: refusal instanceof HeartlineError,
      sameClass: compat.default === compat.UniSocketPromise,
      functions: [detectHost, provideHeartline, useHeartline, onPush, useConnection].map((each) => typeof each),
    }),
  )
  line.destroy()
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
