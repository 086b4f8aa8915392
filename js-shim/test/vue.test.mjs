// The composables under real Vue, without a DOM: components rendered by a tiny custom renderer.
import test from 'node:test'
import assert from 'node:assert/strict'
import { createRenderer, defineComponent, effectScope, getCurrentInstance, h, nextTick, ref, watchEffect } from 'vue'
import { createHeartline } from 'heartline'
import { onPush, provideHeartline, useConnection, useHeartline } from 'heartline/vue'
import { createFakeUni } from 'heartline/testing'

// Elements are plain objects: only setup, effects and unmounting are of interest here.
const node = () => ({ parent: null })
const { createApp } = createRenderer({
  createElement: node,
  createText: node,
  createComment: node,
  insert: (child, parent) => (child.parent = parent),
  remove: (child) => (child.parent = null),
  parentNode: (child) => child.parent,
  nextSibling: () => null,
  patchProp() {},
  setText() {},
  setElementText() {},
})

async function online(t) {
  const fake = createFakeUni()
  const line = createHeartline({ url: 'wss://test', host: fake.host, credentials: () => ({ u: 'user:6', token: 't' }) })
  t.after(() => line.destroy())
  line.start()
  await line.loaded
  await fake.advance(500)
  return { fake, line }
}

const page = (setup) => defineComponent({ setup: () => (setup(), () => h('view')) })

test('useHeartline finds what App.vue provided, in children and beside the tree', async (t) => {
  const { line } = await online(t)
  const found = []
  const child = page(() => found.push(useHeartline()))
  const app = createApp(defineComponent({ setup: () => (provideHeartline(line), () => h(child)) }))
  app.mount(node())
  // A mini-program's page is an app of its own.
  createApp(page(() => found.push(useHeartline()))).mount(node())
  assert.deepEqual(found.map((each) => each === line), [true, true])
})

test('provideHeartline with an app: the nearest one wins over the last one', async (t) => {
  const first = await online(t)
  const second = await online(t)
  const found = []
  const app = createApp(page(() => found.push(useHeartline())))
  provideHeartline(first.line, app)
  provideHeartline(second.line)
  app.mount(node())
  assert.equal(found[0], first.line)
})

test('onPush stops when the component is unmounted', async (t) => {
  const { fake, line } = await online(t)
  provideHeartline(line)
  const heard = []
  const app = createApp(page(() => onPush('chat*', (message) => heard.push(message.msg))))
  app.mount(node())
  fake.server.push({ event: 'chat1', msg: 'one' })
  await fake.advance(50)
  app.unmount()
  fake.server.push({ event: 'chat1', msg: 'two' })
  await fake.advance(50)
  assert.deepEqual(heard, ['one'])
})

test("onPush stops on uni-app's onUnload, also where nothing is unmounted", async (t) => {
  const { fake, line } = await online(t)
  provideHeartline(line)
  const heard = []
  let instance
  createApp(
    page(() => {
      instance = getCurrentInstance()
      onPush('chat1', (message) => heard.push(message.msg))
    }),
  ).mount(node())
  // What uni-app's runtime does: $callHook('onUnload').
  instance.onUnload.forEach((hook) => hook())
  fake.server.push({ event: 'chat1', msg: 'late' })
  await fake.advance(50)
  assert.deepEqual(heard, [])
})

test('onPush in an effect scope stops with the scope, and by its own hand', async (t) => {
  const { fake, line } = await online(t)
  provideHeartline(line)
  const heard = []
  const scope = effectScope()
  let stop
  scope.run(() => {
    onPush('chat1', () => heard.push('scope'))
    stop = onPush('chat1', () => heard.push('hand'))
  })
  stop()
  fake.server.push({ event: 'chat1', msg: '' })
  await fake.advance(50)
  scope.stop()
  fake.server.push({ event: 'chat1', msg: '' })
  await fake.advance(50)
  assert.deepEqual(heard, ['scope'])
})

test('a hundred visits to a page leave no listener behind', async (t) => {
  const { fake, line } = await online(t)
  provideHeartline(line)
  let heard = 0
  const visit = () => {
    const app = createApp(page(() => onPush('chat1', () => heard++)))
    app.mount(node())
    return app
  }
  for (let i = 0; i < 100; i++) visit().unmount()
  const last = visit()
  fake.drop()
  await fake.advance(30000)
  fake.server.push({ event: 'chat1', msg: '' })
  await fake.advance(50)
  last.unmount()
  assert.equal(heard, 1)
})

test('useConnection follows the line, in templates and effects', async (t) => {
  const { fake, line } = await online(t)
  provideHeartline(line)
  const seen = []
  const visible = ref(true)
  const status = page(() => {
    const connection = useConnection()
    watchEffect(() => seen.push(`${connection.value.phase} ${connection.value.isLogin}`), { flush: 'sync' })
  })
  const app = createApp(defineComponent({ setup: () => () => (visible.value ? h(status) : h('view')) }))
  app.mount(node())
  fake.server.refuseDials = true
  fake.drop()
  await fake.advance(60000)
  fake.server.refuseDials = false
  await fake.advance(60000)
  assert.equal(seen[0], 'ready true')
  assert.ok(seen.includes('waiting false'), seen.join())
  assert.equal(seen[seen.length - 1], 'ready true')
  visible.value = false
  await nextTick()
  const count = seen.length
  fake.drop()
  await fake.advance(1000)
  assert.equal(seen.length, count, 'an unmounted page follows no more')
})
