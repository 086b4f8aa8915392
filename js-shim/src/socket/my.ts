/** `my.connectSocket` of Alipay: a task only with `multiple: true`; bytes as base64. */
import type { MiniApi } from '../host/api'
import type { ConnectOptions, Socket, SocketEvents } from '../types'
import { dialTask } from './task'
import { globalTask } from './uni-global'

export function connectMy(api: MiniApi, url: string, options: ConnectOptions, events: SocketEvents): Socket {
  return dialTask(url, options, events, {
    connect: (call) => api.connectSocket(call),
    multiple: true,
    withoutTask: () => globalTask(api),
  })
}
