// The app's life: launch, show, hide, and WeChat's freeze. Five seconds after the app was hidden its sockets are
// cut and its JavaScript stands still; what would have happened meanwhile happens when it is shown again.

/** How long WeChat lets a hidden app live. */
export const FREEZE_AFTER_MS = 5_000

export class Runtime {
  constructor(program) {
    this.program = program
    this.timers = new Map()
    this.sockets = new Set()
    this.listeners = { show: new Set(), hide: new Set(), network: new Set() }
    this.online = true
    this.frozen = false
    this.held = []
    this.problems = []
    /** Every text that a socket received, oldest first. */
    this.frames = []
    /** When each socket was dialled. */
    this.dials = []
    this.lastTimer = 0
  }

  launch(options) {
    this.app = options
    this.call(() => options.onLaunch?.(this.program.toGuest({ path: this.program.manifest.pages[0], scene: 1001, query: {} })))
  }

  /** The user opens the app, or comes back to it. */
  show() {
    clearTimeout(this.freezing)
    this.frozen = false
    this.held.splice(0).forEach((run) => this.call(run))
    this.tell('show', { scene: 1001 })
    this.call(() => this.app.onShow?.(this.program.toGuest({ scene: 1001 })))
  }

  /** The user leaves the app. */
  hide() {
    this.tell('hide', {})
    this.call(() => this.app.onHide?.())
    this.freezing = setTimeout(() => {
      this.frozen = true
      this.sockets.forEach((socket) => socket.interrupt())
    }, FREEZE_AFTER_MS)
  }

  /** The network goes or comes. */
  network(online) {
    this.online = online
    if (!online) this.sockets.forEach((socket) => socket.interrupt())
    this.tell('network', { isConnected: online, networkType: online ? 'wifi' : 'none' })
  }

  tell(kind, news) {
    for (const listener of [...this.listeners[kind]]) this.later(() => listener(this.program.toGuest(news)))
  }

  /** Runs a callback of the package in a turn of its own, as the platform's bridge does. */
  later(run) {
    setTimeout(() => this.call(run), 0)
  }

  /** Runs a callback of the package now, or when the freeze ends. What it throws is kept, as a log would. */
  call(run) {
    if (this.stopped) return
    if (this.frozen) {
      this.held.push(run)
      return
    }
    try {
      run()
    } catch (error) {
      this.problems.push(error)
    }
  }

  setTimeout(run, ms, rest) {
    const id = ++this.lastTimer
    const timer = setTimeout(() => {
      this.timers.delete(id)
      this.call(() => run(...rest))
    }, ms)
    this.timers.set(id, timer)
    return id
  }

  setInterval(run, ms, rest) {
    const id = ++this.lastTimer
    let due = false
    const tick = () => {
      if (due) return
      due = true
      this.call(() => {
        due = false
        if (this.timers.has(id)) run(...rest)
      })
    }
    this.timers.set(id, setInterval(tick, ms))
    return id
  }

  clear(id) {
    clearTimeout(this.timers.get(id))
    this.timers.delete(id)
  }

  stop() {
    this.stopped = true
    clearTimeout(this.freezing)
    this.timers.forEach((timer) => clearTimeout(timer))
    this.sockets.forEach((socket) => socket.interrupt())
  }
}
