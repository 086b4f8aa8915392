/** The host of browsers (H5), and of Node where a WebSocket class is at hand. */
import { FUNCTION, must } from '../core/check'
import { dialTask } from '../socket/task'
import { webApi } from '../socket/web'
import type { WebSocketClass } from '../socket/web'
import type { Host } from '../types'
import { plainHost } from './clock'

interface EventSource {
  addEventListener?(type: string, listener: () => void): void
  removeEventListener?(type: string, listener: () => void): void
}

declare const WebSocket: WebSocketClass | undefined
declare const document: (EventSource & { visibilityState?: string }) | undefined
declare const window: EventSource | undefined
declare const localStorage: { getItem(key: string): unknown; setItem(key: string, value: string): void } | undefined
declare const navigator: { onLine?: boolean } | undefined

/** `socketClass` is for hosts that have no WebSocket of their own, such as Node before 22 with the package `ws`. */
export function webHost(socketClass?: WebSocketClass): Host {
  must('socketClass', socketClass, FUNCTION, true)
  const find = () => socketClass || (typeof WebSocket === 'undefined' ? undefined : WebSocket)
  const page = typeof document === 'undefined' ? undefined : document
  const frame = typeof window === 'undefined' ? undefined : window
  const host = plainHost('web', (url, options, events) =>
    dialTask(webApi(find()!), {}, url, options, events),
  )
  // Not earlier: a page may be rendered on a server.
  host.check = () => must('host', find(), 'WebSocket function')
  const storage = ownStorage()
  if (storage) host.storage = { get: (key) => storage.getItem(key), set: (key, value) => storage.setItem(key, value) }
  if (page && page.addEventListener) {
    // A hidden tab keeps its sockets, so a line lost there must come back there: only the return is told.
    host.onVisibility = (listener) =>
      listen(page, 'visibilitychange', () => page.visibilityState === 'hidden' || listener(true))
  }
  if (frame && frame.addEventListener && typeof navigator !== 'undefined') {
    host.networkOnline = (answer) => answer(navigator!.onLine !== false)
    host.onNetwork = (listener) => {
      const stops = [listen(frame, 'online', () => listener(true)), listen(frame, 'offline', () => listener(false))]
      return () => stops.forEach((stop) => stop())
    }
  }
  return host
}

/** A page that may not even ask, such as a sandboxed frame's, has none. */
function ownStorage() {
  try {
    return typeof localStorage === 'undefined' ? undefined : localStorage
  } catch (_) {
    return undefined
  }
}

function listen(source: EventSource, type: string, listener: () => void): () => void {
  source.addEventListener!(type, listener)
  return () => source.removeEventListener!(type, listener)
}
