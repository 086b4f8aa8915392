/**
 * The last fallback: a SocketTask made of the global functions (`onSocketOpen`, `sendSocketMessage` …), for
 * platforms so old that `connectSocket` returns nothing. They speak of one socket only, can register
 * listeners but not remove them, and ignore a close before the open.
 */
import type { MiniApi } from '../host/api'
import type { SocketTask } from './task'
import { nothing, quietly } from './task'

/** The one place where an API's global events arrive, whichever attempt is current. */
interface Switchboard {
  current: Ends | undefined
  /** A close was asked of a former socket and its close event has not come yet. */
  owed: boolean
}

interface Ends {
  open(event?: unknown): void
  message(event?: unknown): void
  error(event?: unknown): void
  close(event?: unknown): void
}

let switchboards: WeakMap<object, Switchboard> | undefined

/** A task over the global functions, or undefined where the platform has none. */
export function globalTask(api: MiniApi): SocketTask | undefined {
  const { onSocketOpen, onSocketMessage, onSocketError, onSocketClose, sendSocketMessage, closeSocket } = api
  if (!onSocketOpen || !onSocketMessage || !onSocketError || !onSocketClose || !sendSocketMessage) return undefined
  switchboards = switchboards || new WeakMap()
  let board = switchboards.get(api)
  if (!board) {
    const made: Switchboard = (board = { current: undefined, owed: false })
    switchboards.set(api, made)
    // Registered once for ever: these platforms have no off.
    onSocketOpen.call(api, (event) => made.current && ((made.owed = false), made.current.open(event)))
    onSocketMessage.call(api, (event) => made.current && made.current.message(event))
    onSocketError.call(api, (event) => made.current && made.current.error(event))
    onSocketClose.call(api, (event) => {
      // The first close after a replaced socket is the old one's; the dial timeout covers a wrong guess.
      if (made.owed) made.owed = false
      else if (made.current) made.current.close(event)
    })
  }
  const line = board
  const mine: Ends = { open: nothing, message: nothing, error: nothing, close: nothing }
  line.current = mine
  return {
    onOpen: (listener) => void (mine.open = listener),
    onMessage: (listener) => void (mine.message = listener),
    onError: (listener) => void (mine.error = listener),
    onClose: (listener) =>
      void (mine.close = (event) => {
        if (line.current === mine) line.current = undefined
        listener(event)
      }),
    send: (options) => sendSocketMessage.call(api, options),
    close(options) {
      if (line.current !== mine) return
      line.owed = true
      quietly(() => closeSocket && closeSocket.call(api, options))
    },
  }
}
