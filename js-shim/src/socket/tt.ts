/** `tt.connectSocket` of Douyin: always a task; there are no global functions to fall back on. */
import type { MiniApi } from '../host/api'
import type { ConnectOptions, Socket, SocketEvents } from '../types'
import { dialTask } from './task'

export function connectTt(api: MiniApi, url: string, options: ConnectOptions, events: SocketEvents): Socket {
  return dialTask(url, options, events, { connect: (call) => api.connectSocket(call) })
}
