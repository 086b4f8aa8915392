/** The one socket of a client: dials, asks for the network before, and keeps news of former attempts away. */
import type { ConnectOptions, Host, SendFate, Socket } from '../types'
import { decodeUtf8 } from '../utf8'

/** What the link tells its client. Only news of the present attempt arrives here. */
export interface LinkOwner {
  opened(epoch: number): void
  text(epoch: number, text: string): void
  /** Bytes that are not UTF-8. */
  garbage(epoch: number): void
  failed(epoch: number, detail: string): void
  closed(epoch: number, code: number | undefined, reason: string | undefined): void
  offline(epoch: number): void
}

/** A platform that has not said by now whether there is a network never will: dial and see. */
const NETWORK_ANSWER_LIMIT_MS = 3000

export class Link {
  /** The present attempt; 0: none. */
  epoch = 0
  private socket: Socket | undefined

  constructor(
    private readonly host: Host,
    private readonly owner: LinkOwner,
    private readonly dialled: (work: () => void) => void,
  ) {}

  open(epoch: number, url: () => string, options: ConnectOptions): void {
    const { host } = this
    this.close(1000)
    this.epoch = epoch
    if (!host.networkOnline) return this.dial(epoch, url, options)
    let answered = false
    const answer = (online: boolean) => {
      // Late, twice, or for an attempt that was given up meanwhile: no ghost socket is dialled.
      if (answered || this.epoch !== epoch) return
      answered = true
      cancel()
      if (online) this.dial(epoch, url, options)
      else this.owner.offline(epoch)
    }
    const cancel = host.setTimer(NETWORK_ANSWER_LIMIT_MS, () => answer(true))
    try {
      host.networkOnline(answer)
    } catch (_) {
      answer(true)
    }
  }

  send(epoch: number, text: string, done: (fate: SendFate) => void): void {
    if (this.socket && this.epoch === epoch) this.socket.send(text, done)
    else done('not-sent')
  }

  /** Ends the present attempt, dialled or not. */
  close(code: number): void {
    const { socket } = this
    this.epoch = 0
    this.socket = undefined
    if (socket) socket.close(code, '')
  }

  private dial(epoch: number, url: () => string, options: ConnectOptions): void {
    const { host, owner } = this
    const mine = () => this.epoch === epoch
    this.dialled(() => {
      let socket: Socket
      try {
        socket = host.connect(url(), options, {
          open: () => mine() && owner.opened(epoch),
          message: (data) => mine() && this.receive(epoch, data),
          error: (detail) => mine() && owner.failed(epoch, detail),
          close: (code, reason) => mine() && owner.closed(epoch, code, reason),
        })
      } catch (error) {
        return owner.failed(epoch, String(error))
      }
      // A platform that failed, or made the app close, while it dialled.
      if (mine()) this.socket = socket
      else socket.close(1000, '')
    })
  }

  private receive(epoch: number, data: string | ArrayBuffer): void {
    let text: string
    try {
      text = typeof data === 'string' ? data : decodeUtf8(new Uint8Array(data))
    } catch (_) {
      return this.owner.garbage(epoch)
    }
    this.owner.text(epoch, text)
  }
}
