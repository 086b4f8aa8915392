/** The standard WebSocket: browsers, H5, and Node with a `WebSocket` of its own or from a package. */
import type { ConnectOptions, Socket, SocketEvents } from '../types'
import { attempt } from './attempt'
import { payload } from './payload'
import { closeArguments, describe, quietly } from './task'

/** What is used of a WebSocket class. */
export interface WebSocketClass {
  new (url: string, protocols?: string | string[]): any
}

export function connectWeb(
  socketClass: WebSocketClass,
  url: string,
  options: ConnectOptions,
  events: SocketEvents,
): Socket {
  const line = attempt(events)
  let socket: any
  try {
    // A header cannot be set here: credentials travel in the first message.
    socket = options.protocols ? new socketClass(url, options.protocols) : new socketClass(url)
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => line.open()
    socket.onmessage = (event: unknown) => {
      const data = payload(event)
      if (data !== undefined && !line.isOver()) line.message(data)
    }
    // The close that follows carries the code; it always follows here, but the socket may be told to go.
    socket.onerror = (event: unknown) => {
      line.error(describe(event))
      quietly(() => socket.close())
    }
    socket.onclose = (event: any) => line.close(event.code, event.reason)
  } catch (error) {
    line.error(describe(error))
  }
  line.release()

  return {
    send(text, done) {
      // A browser's own readyState is true, and a send on a closing socket would vanish silently.
      if (!line.isOpen() || socket.readyState !== 1) return done('not-sent')
      done(quietly(() => socket.send(text)) ? 'accepted' : 'not-sent')
    },
    close(code, reason) {
      const over = line.isOver()
      line.mute()
      if (over) return
      const asked = closeArguments(code, reason)
      quietly(() => socket.close(asked.code, asked.reason))
    },
  }
}
