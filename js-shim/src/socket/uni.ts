/** `uni.connectSocket`, whichever platform is underneath. */
import type { MiniApi } from '../host/api'
import type { ConnectOptions, Socket, SocketEvents } from '../types'
import { dialTask } from './task'
import { globalTask } from './uni-global'

declare const plus: unknown
declare const wx: unknown
declare const my: unknown
declare const tt: unknown
declare const qq: unknown
declare const document: unknown

/** When the last dial began: on the App platform a socket's id is this very number. */
let lastDialAt = 0

export function connectUni(api: MiniApi, url: string, options: ConnectOptions, events: SocketEvents): Socket {
  return dialTask(url, options, events, {
    connect: (call) => {
      lastDialAt = Date.now()
      return api.connectSocket(call)
    },
    // Alipay needs it; the others do not look at it.
    multiple: true,
    failedSendMayLeave,
    withoutTask: () => globalTask(api),
    // Two dials in one millisecond would share their id, and their events (App).
    delay: () => (isApp() && Date.now() === lastDialAt ? 2 : 0),
  })
}

function isApp(): boolean {
  return typeof plus !== 'undefined'
}

/** Whether a failed send may have left: yes on App, and on any platform that we do not know. */
function failedSendMayLeave(): boolean {
  if (isApp()) return true
  return (
    typeof wx === 'undefined' &&
    typeof my === 'undefined' &&
    typeof tt === 'undefined' &&
    typeof qq === 'undefined' &&
    typeof document === 'undefined'
  )
}
