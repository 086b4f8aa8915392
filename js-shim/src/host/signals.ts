/** What a mini-program platform tells about the network and about the app's being shown or hidden. */
import type { MiniApi } from './api'
import { isThenable, quietly } from '../socket/task'
import { setTimer } from './clock'

declare const document: unknown

/** A `getNetworkType` that has not answered by then is not waited for: the dial will tell. */
const NETWORK_ANSWER_MS = 1500

/** Asks once and answers once, in time, whatever the platform does. */
export function askNetwork(api: MiniApi, answer: (online: boolean) => void): void {
  let answered = false
  const tell = (online: boolean) => {
    if (answered) return
    answered = true
    cancel()
    answer(online)
  }
  const told = (result: any) => {
    const res = Array.isArray(result) ? result[1] : result
    tell(!res || isOnline(res))
  }
  const cancel = setTimer(NETWORK_ANSWER_MS, () => tell(true))
  const asked = quietly(() => {
    const result = api.getNetworkType!({ success: told, fail: () => tell(true) })
    if (isThenable(result)) result.then(told, () => tell(true))
  })
  if (!asked) tell(true)
}

/** Subscribes to network changes. */
export function watchNetwork(api: MiniApi, listener: (online: boolean) => void): () => void {
  let muted = false
  const stop = subscribe(api, 'onNetworkStatusChange', 'offNetworkStatusChange', (event: any) => {
    // Douyin's event does not say whether there is a network.
    if (!event || typeof event.isConnected !== 'boolean') askNetwork(api, (online) => muted || listener(online))
    else listener(event.isConnected)
  })
  return () => {
    muted = true
    stop()
  }
}

/**
 * Subscribes to the app's being shown and hidden. Hiding is told where it kills sockets; a browser's tab (H5, where
 * there is a document) keeps them, and a line lost there must come back there.
 */
export function watchVisibility(api: MiniApi, listener: (visible: boolean) => void): () => void {
  const stopShow = subscribe(api, 'onAppShow', 'offAppShow', () => listener(true))
  if (typeof document !== 'undefined') return stopShow
  const stopHide = subscribe(api, 'onAppHide', 'offAppHide', () => listener(false))
  return () => {
    stopShow()
    stopHide()
  }
}

type On = 'onNetworkStatusChange' | 'onAppShow' | 'onAppHide'
type Off = 'offNetworkStatusChange' | 'offAppShow' | 'offAppHide'
type Listener = (event?: unknown) => void

/** Our listeners where the platform has no off: it is given one listener per event, once for ever. */
let hubs: WeakMap<object, { [event: string]: Set<Listener> }> | undefined

function subscribe(api: MiniApi, on: On, off: Off, listener: Listener): () => void {
  let muted = false
  const heard: Listener = (event) => muted || listener(event)
  if (!api[on]) return () => {}
  if (api[off]) {
    quietly(() => api[on]!(heard))
    return () => {
      muted = true
      quietly(() => api[off]!(heard))
    }
  }
  hubs = hubs || new WeakMap()
  let hub = hubs.get(api)
  if (!hub) hubs.set(api, (hub = {}))
  let listeners = hub[on]
  if (!listeners) {
    const all = (listeners = hub[on] = new Set<Listener>())
    quietly(() => api[on]!((event) => all.forEach((each) => each(event))))
  }
  listeners.add(heard)
  return () => {
    muted = true
    listeners.delete(heard)
  }
}

/** 'none' nearly everywhere; Alipay says NOTREACHABLE, or gives a flag. 'unknown' counts as a network. */
function isOnline(result: { networkType?: unknown; networkAvailable?: unknown }): boolean {
  if (result.networkAvailable === false) return false
  const type = String(result.networkType).toLowerCase()
  return type !== 'none' && type !== 'notreachable'
}
