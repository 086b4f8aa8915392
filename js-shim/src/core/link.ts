/**
 * The one socket of a client: dials, asks for the network before, keeps news of former attempts away, and tells the core
 * what becomes of the present one.
 */
import type { ConnectOptions, Host, SendFate, Socket } from '../types'
import { nothing } from '../socket/task'
import { decodeUtf8 } from '../utf8'
import { In, NONE } from './codes'
import { mustBeUrl } from './check'
import type { Machine } from './machine'
import { advice, decode } from './wire'
import type { FrameTaker } from './wire'

export interface Link {
  open(epoch: number, url: () => string, options: ConnectOptions | undefined): void
  send(epoch: number, text: string, done: (fate: SendFate) => void): void
  /** Sends what is never answered, and missed by nobody. */
  post(epoch: number, text: string): void
  /** Ends the present attempt, dialled or not; or this one only, if it is the present one. */
  close(code: number, epoch?: number): void
  /** What the platform, or the peer, said of the end of the latest attempt. */
  why(): string | undefined
}

export function createLink(
  host: Host,
  { feed, hold }: Machine,
  taker: FrameTaker,
  log: (line: string) => void,
): Link {
  /** The present attempt; 0: none. */
  let current = 0
  let socket: Socket | undefined
  let why: string | undefined

  const close: Link['close'] = (code, epoch) => {
    if (epoch !== undefined && epoch !== current) return
    const former = socket
    current = 0
    socket = undefined
    if (former) former.close(code, '')
  }

  const hearBytes = (epoch: number, bytes: ArrayBuffer) => {
    let text = ''
    try {
      text = decodeUtf8(new Uint8Array(bytes))
    } catch (_) {
      // An empty text is no frame either.
    }
    decode(epoch, text, taker)
  }

  const dial = (epoch: number, url: () => string, options: ConnectOptions) => {
    const failed = (detail: unknown) => {
      why = String(detail)
      log(`socket error ${why}`)
      feed(In.FAILED, epoch)
    }
    const mine = () => current === epoch
    let made: Socket
    try {
      const address = url()
      mustBeUrl(address)
      made = host.connect(address, options, {
        open: () => mine() && feed(In.OPENED, epoch),
        message(data) {
          if (current !== epoch) return
          if (typeof data === 'string') decode(epoch, data, taker)
          else hearBytes(epoch, data)
        },
        error: (detail) => mine() && failed(detail),
        close(code, reason) {
          if (!mine()) return
          why = reason || undefined
          feed(In.CLOSED, epoch, code === undefined ? NONE : code, advice(reason))
        },
      })
    } catch (error) {
      return failed(error)
    }
    // A platform that failed, or made the app close, while it dialled.
    if (mine()) socket = made
    else made.close(1000, '')
  }

  const send: Link['send'] = (epoch, text, done) => {
    if (socket && current === epoch) socket.send(text, done)
    else done('not-sent')
  }

  return {
    open(epoch, url, options = {}) {
      close(1000)
      current = epoch
      why = undefined
      let answered = false
      const answer = (online: boolean) => {
        // Late, twice, or for an attempt that was given up meanwhile: no ghost socket is dialled.
        if (answered || current !== epoch) return
        answered = true
        if (online) hold(() => dial(epoch, url, options))
        // Waiting for the network is only safe where its return will be told; else each attempt asks again.
        else if (host.onNetwork) feed(In.NETWORK)
        else feed(In.FAILED, epoch)
      }
      // A question that is never answered is ended by the dial timeout.
      try {
        if (host.networkOnline) return host.networkOnline(answer)
      } catch (_) {
        // Dial and see.
      }
      answer(true)
    },
    post: (epoch, text) => send(epoch, text, nothing),
    send,
    close,
    why: () => why,
  }
}
