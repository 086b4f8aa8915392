/** The host of browsers (H5), and of Node where a WebSocket class is at hand. */
import type { Host } from '../types'
import { connectWeb, type WebSocketClass } from '../socket/web'
import { monotonicClock, randomBytes, setTimer } from './clock'

declare const WebSocket: WebSocketClass | undefined
declare const document: { visibilityState?: string; addEventListener?: Listen; removeEventListener?: Listen } | undefined
declare const window: { addEventListener?: Listen; removeEventListener?: Listen } | undefined
declare const navigator: { onLine?: boolean } | undefined

type Listen = (type: string, listener: () => void) => void

/** `socketClass` is for hosts that have no WebSocket of their own, such as Node before 22 with the package `ws`. */
export function webHost(socketClass?: WebSocketClass): Host {
  const page = typeof document === 'undefined' ? undefined : document
  const frame = typeof window === 'undefined' ? undefined : window
  const host: Host = {
    name: 'web',
    connect(url, options, events) {
      const found = socketClass || (typeof WebSocket === 'undefined' ? noWebSocket : WebSocket)
      return connectWeb(found, url, options, events)
    },
    now: monotonicClock(),
    setTimer,
    randomBytes,
  }
  if (page && page.addEventListener && page.removeEventListener) {
    host.onVisibility = (listener) => {
      // A hidden tab keeps its sockets, so a line lost there must come back there: only the return is told.
      const changed = () => {
        if (page.visibilityState !== 'hidden') listener(true)
      }
      return listen(page, { visibilitychange: changed })
    }
  }
  if (frame && frame.addEventListener && typeof navigator !== 'undefined') {
    host.networkOnline = (answer) => answer(navigator!.onLine !== false)
    host.onNetwork = (listener) => listen(frame, { online: () => listener(true), offline: () => listener(false) })
  }
  return host
}

function listen(
  target: { addEventListener?: Listen; removeEventListener?: Listen },
  listeners: Record<string, () => void>,
): () => void {
  const types = Object.keys(listeners)
  for (const type of types) target.addEventListener!(type, listeners[type])
  return () => types.forEach((type) => target.removeEventListener && target.removeEventListener(type, listeners[type]))
}

/** Fails each dial with a sentence that says what to do. Not thrown earlier: a page may be rendered on a server. */
const noWebSocket = function () {
  throw new Error('no uni, wx, my, tt, qq or WebSocket here: pass options.host, such as webHost(require("ws"))')
} as unknown as WebSocketClass
