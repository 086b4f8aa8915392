// A scripted host: a clock that stands still until moved, sockets that do just what the test says.
export class ScriptedHost {
  name = 'test'
  time = 1000
  timers = []
  sockets = []
  sockets_alive = () => this.sockets.filter((socket) => !socket.closed)

  now = () => this.time
  setTimer = (ms, run) => {
    const timer = { due: this.time + ms, run }
    this.timers.push(timer)
    return () => (this.timers = this.timers.filter((other) => other !== timer))
  }
  connect = (url, options, events) => {
    const socket = new ScriptedSocket(url, options, events)
    this.sockets.push(socket)
    return socket
  }
  randomBytes = (count) => crypto.getRandomValues(new Uint8Array(count))

  get last() {
    return this.sockets[this.sockets.length - 1]
  }

  /** Moves time on, ringing each timer at its moment. */
  async advance(ms) {
    const end = this.time + ms
    for (;;) {
      await settle()
      const next = this.timers.filter((timer) => timer.due <= end).sort((a, b) => a.due - b.due)[0]
      if (!next) break
      this.timers = this.timers.filter((timer) => timer !== next)
      this.time = Math.max(this.time, next.due)
      next.run()
    }
    this.time = end
    await settle()
  }
}

export class ScriptedSocket {
  sent = []
  closed = undefined
  fate = 'accepted'

  constructor(url, options, events) {
    Object.assign(this, { url, options, events })
  }
  send(text, done) {
    this.sent.push(text)
    done(this.fate)
  }
  close(code) {
    this.closed = code
  }

  /** The frames sent, decoded. */
  get frames() {
    return this.sent.map((text) => JSON.parse(text))
  }
  last(event) {
    return this.frames.filter((frame) => frame.event === event).pop()
  }
  hear(message) {
    this.events.message(typeof message === 'string' || message instanceof ArrayBuffer ? message : JSON.stringify(message))
  }
  reply(frame, error = 0, more = {}) {
    this.hear({ type: 'respon', event: frame.uuid, data: { error, body: 'ok', ...more } })
  }
  /** Opens, and answers the login. */
  welcome() {
    this.events.open()
    this.reply(this.last('login'))
  }
}

/** Lets promises run. */
export const settle = () => new Promise((resolve) => setImmediate(resolve))
