// A WebSocket that opens in the next turn and answers each request at once: no network in what is measured.
export class PromptSocket {
  /** The one made last. */
  static last
  readyState = 0

  constructor() {
    PromptSocket.last = this
    Promise.resolve().then(() => {
      this.readyState = 1
      this.onopen({})
    })
  }
  send(text) {
    const { uuid } = JSON.parse(text)
    Promise.resolve().then(() => this.onmessage({ data: JSON.stringify({ type: 'respon', event: uuid, data: { error: 0 } }) }))
  }
  close() {
    this.readyState = 3
  }
}
