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
  const stop = subscribe(api, 'onNetworkStatusChange', (event) => {
    // Douyin's event does not say whether there is a network.
    if (event && typeof event.isConnected === 'boolean') listener(event.isConnected)
    else askNetwork(api, (online) => muted || listener(online))
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
  const stopShow = subscribe(api, 'onAppShow', () => listener(true))
  const stopHide = subscribe(api, 'onAppHide', () => typeof document === 'undefined' && listener(false))
  return () => {
    stopShow()
    stopHide()
  }
}

type On = 'onNetworkStatusChange' | 'onAppShow' | 'onAppHide'
type Listener = (event?: any) => void

/** Who listens to what, for each platform object. */
const hubs = new WeakMap<object, { [event: string]: Set<Listener> }>()

/**
 * A platform is given one listener per event, once for ever: its off may be missing, throw, or do nothing. Where the
 * event itself is missing, nobody is ever called.
 */
function subscribe(api: MiniApi, on: On, listener: Listener): () => void {
  const hub = hubs.get(api) || {}
  hubs.set(api, hub)
  if (!hub[on]) {
    const all = (hub[on] = new Set())
    quietly(() => api[on]!((event) => all.forEach((each) => each(event))))
  }
  hub[on].add(listener)
  return () => hub[on].delete(listener)
}

/** 'none' nearly everywhere; Alipay says NOTREACHABLE, or gives a flag. 'unknown' counts as a network. */
function isOnline(result: { networkType?: unknown; networkAvailable?: unknown }): boolean {
  return result.networkAvailable !== false && !/^(none|notreachable)$/i.test(String(result.networkType))
}
