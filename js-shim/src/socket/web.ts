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
  socketClass: WebSocketClass | undefined,
  url: string,
  { protocols }: ConnectOptions,
  events: SocketEvents,
): Socket {
  const line = attempt(events)
  let socket: any
  try {
    // Not earlier: a page may be rendered on a server.
    if (!socketClass) throw new Error('no uni, wx, my, tt, qq or WebSocket here: pass options.host')
    // A header cannot be set here: credentials travel in the first message.
    socket = protocols ? new socketClass(url, protocols) : new socketClass(url)
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => line.open()
    socket.onmessage = (event: unknown) => {
      const data = payload(event)
      if (data !== undefined) line.message(data)
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
      done(line.isOpen() && socket.readyState === 1 && quietly(() => socket.send(text)) ? 'accepted' : 'not-sent')
    },
    close(code, reason) {
      const asked = closeArguments(code, reason)
      if (!line.mute()) quietly(() => socket.close(asked.code, asked.reason))
    },
  }
}
