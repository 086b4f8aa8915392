/** `wx.connectSocket` (and `qq`, which is its image): a task since base library 1.7.0, global functions before. */
import type { MiniApi } from '../host/api'
import type { ConnectOptions, Socket, SocketEvents } from '../types'
import { dialTask } from './task'
import { globalTask } from './uni-global'

export function connectWx(api: MiniApi, url: string, options: ConnectOptions, events: SocketEvents): Socket {
  return dialTask(url, options, events, {
    connect: (call) => api.connectSocket(call),
    withoutTask: () => globalTask(api),
  })
}
