/**
 * `heartline/vue`: composables for Vue 3 pages. What a page listens to ends with the page: when its component is
 * unmounted, when its effect scope stops, and on uni-app's `onUnload`.
 */
// By its whole name: beside Vue 2, where these members are missing, the page shall hear why.
import * as vue from 'vue'
import type { App, ShallowRef } from 'vue'
import { FUNCTION, must, OBJECT } from '../core/check'
import type { ClientState, HeartlineClient, Listener } from './index'

/** Where the line stands, and the three questions that pages ask about it. */
export type Connection = ClientState & {
  readonly isConnected: boolean
  readonly isOpen: boolean
  readonly isLogin: boolean
}

const KEY = 'heartline'

/** The client provided last: pages of a mini-program are no children of `App.vue`, and injection does not reach them. */
let current: HeartlineClient | undefined

/** Makes `client` the one that `useHeartline` finds. Call it in `App.vue`'s setup, or with the app in `main.ts`. */
export function provideHeartline(client: HeartlineClient, app?: App): HeartlineClient {
  needVue3()
  must('client', client, OBJECT)
  must('client.on', client.on, FUNCTION)
  current = client
  if (app) app.provide(KEY, client)
  else if (vue.getCurrentInstance()) vue.provide(KEY, client)
  return client
}

/** The client that was provided. Throws where there is none. */
export function useHeartline(): HeartlineClient {
  needVue3()
  const found = (vue.getCurrentInstance() && vue.inject<HeartlineClient | undefined>(KEY, undefined)) || current
  if (!found) throw new Error('no Heartline client: call provideHeartline(client) in App.vue first')
  return found
}

/** Calls `listener` with each push that matches, until the page is left. Returns the way to stop earlier. */
export function onPush(pattern: string, listener: Listener): () => void {
  const stop = useHeartline().on(pattern, listener)
  whenLeft(stop)
  return stop
}

/** Where the line stands, as a ref that follows it until the page is left. */
export function useConnection(): Readonly<ShallowRef<Connection>> {
  const client = useHeartline()
  const connection = vue.shallowRef(snapshot(client))
  whenLeft(client.listen('state', () => void (connection.value = snapshot(client))))
  return connection
}

function needVue3(): void {
  if (!vue.getCurrentScope) {
    throw new Error('heartline/vue needs Vue 3.2 or later, and found another: beside Vue 2 use heartline or heartline/compat')
  }
}

function snapshot(client: HeartlineClient): Connection {
  const { isConnected, isOpen, isLogin } = client
  return Object.assign({}, client.state, { isConnected, isOpen, isLogin })
}

/** Runs `leave` once, when the page or component that is being set up is left. */
function whenLeft(leave: () => void): void {
  let left = false
  const once = () => {
    if (left) return
    left = true
    leave()
  }
  if (vue.getCurrentScope()) vue.onScopeDispose(once)
  // uni-app keeps a page's hooks on the instance under their own name; some platforms unload without an unmount.
  const instance = vue.getCurrentInstance() as { onUnload?: Array<() => void> | null } | null
  if (instance) (instance.onUnload = instance.onUnload || []).push(once)
}
