/**
 * The last fallback: a SocketTask made of the global functions (`onSocketOpen`, `sendSocketMessage` …), for
 * platforms so old that `connectSocket` returns nothing. They speak of one socket only, can register
 * listeners but not remove them, and ignore a close before the open.
 */
import type { MiniApi } from '../host/api'
import { quietly } from './task'
import type { SocketTask } from './task'

type Listener = (event?: any) => void

/** The one place where an API's global events arrive, whichever attempt is current. */
interface Switchboard {
  current?: { [kind: string]: Listener }
  /** A close was asked of a former socket and its close event has not come yet. */
  owed?: boolean
}

const KINDS = ['Open', 'Message', 'Error', 'Close']
const switchboards = new WeakMap<object, Switchboard>()

/** A task over the global functions, or undefined where the platform has none. */
export function globalTask(api: MiniApi): SocketTask | undefined {
  const calls = api as any
  if (!calls.sendSocketMessage || KINDS.some((kind) => !calls[`onSocket${kind}`])) return undefined
  let board = switchboards.get(api)
  if (!board) switchboards.set(api, (board = connect(calls)))
  const line = board
  const mine: { [kind: string]: Listener } = (line.current = {})
  const task: any = {
    send: (options: any) => calls.sendSocketMessage(options),
    close(options: any) {
      if (line.current !== mine) return
      line.owed = true
      quietly(() => calls.closeSocket(options))
    },
  }
  for (const kind of KINDS) task[`on${kind}`] = (listener: Listener) => (mine[kind] = listener)
  return task
}

/** Registers once for ever: these platforms have no off. */
function connect(calls: any): Switchboard {
  const board: Switchboard = {}
  for (const kind of KINDS) {
    calls[`onSocket${kind}`]((event: unknown) => {
      const { current, owed } = board
      // The first close after a replaced socket is the old one's; the dial timeout covers a wrong guess.
      if (kind === 'Open' || kind === 'Close') board.owed = false
      if (!current || (kind === 'Close' && owed)) return
      if (kind === 'Close') board.current = undefined
      if (current[kind]) current[kind](event)
    })
  }
  return board
}
