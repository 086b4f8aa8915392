/** The standard WebSocket as a SocketTask: browsers, H5, and Node with a `WebSocket` of its own or from a package. */
import type { MiniApi } from '../host/api'
import type { SocketTask } from './task'

/** What is used of a WebSocket class. */
export interface WebSocketClass {
  new (url: string, protocols?: string | string[]): any
}

export function webApi(socketClass: WebSocketClass): MiniApi {
  return {
    connectSocket({ url, protocols }): SocketTask {
      // A header cannot be set here: credentials travel in the first message.
      const socket = new socketClass(url, protocols)
      socket.binaryType = 'arraybuffer'
      return {
        onOpen: (listener) => (socket.onopen = listener),
        onMessage: (listener) => (socket.onmessage = listener),
        onError: (listener) => (socket.onerror = listener),
        onClose: (listener) => (socket.onclose = listener),
        send({ data, success, fail }) {
          // A browser's own readyState is true, and a send on a closing socket would vanish silently.
          if (socket.readyState !== 1) return fail()
          socket.send(data)
          success()
        },
        close: ({ code, reason }) => socket.close(code, reason),
      }
    },
  }
}
