// `wx.connectSocket` with the habits of the real one: at most five sockets, every callback in a turn of its own,
// `readyState` that tells nothing, success that means "accepted", and the close of a dead socket that comes late.

import WebSocket from 'ws'

const MAX_SOCKETS = 5
const CLOSE_COMES_LATE_MS = 40

/** What `wx.connectSocket` returns; undefined when there are too many sockets. */
export function connectSocket(program, options) {
  const { runtime } = program
  runtime.dials.push(Date.now())
  const finish = (name, errMsg) => {
    runtime.later(() => options[name]?.(program.toGuest({ errMsg })))
    runtime.later(() => options.complete?.(program.toGuest({ errMsg })))
  }
  if (runtime.sockets.size >= MAX_SOCKETS) {
    finish('fail', 'connectSocket:fail exceed max task count')
    return undefined
  }
  const socket = new MiniSocket(program, options)
  finish('success', 'connectSocket:ok')
  return socket.task()
}

class MiniSocket {
  constructor(program, { url, protocols, header }) {
    this.program = program
    this.runtime = program.runtime
    this.handlers = { open: [], message: [], error: [], close: [] }
    this.opened = false
    this.ended = false
    this.runtime.sockets.add(this)
    this.line = this.runtime.online ? new WebSocket(url, protocols || [], { headers: header }) : undefined
    if (!this.line) return void this.failed('connect:fail no network')
    this.line.on('open', () => {
      this.opened = true
      this.emit('open', { header: {} })
    })
    this.line.on('message', (data) => {
      this.runtime.frames.push(data.toString())
      this.emit('message', { data: data.toString() })
    })
    this.line.on('error', (error) => this.failed(error.message))
    this.line.on('close', (code, reason) => this.end(code, reason.toString()))
  }

  task() {
    const on = (name) => (handler) => void this.handlers[name].push(handler)
    return {
      readyState: 0,
      onOpen: on('open'),
      onMessage: on('message'),
      onError: on('error'),
      onClose: on('close'),
      send: (options) => this.send(options),
      close: (options) => this.close(options || {}),
    }
  }

  send({ data, success, fail, complete }) {
    const ok = this.opened && !this.ended
    if (ok) this.line.send(data)
    const result = { errMsg: ok ? 'sendSocketMessage:ok' : 'sendSocketMessage:fail WebSocket is not connected' }
    for (const callback of [ok ? success : fail, complete]) {
      if (callback) this.runtime.later(() => callback(this.program.toGuest(result)))
    }
  }

  close({ code = 1000, reason = '', success, complete }) {
    for (const callback of [success, complete]) {
      if (callback) this.runtime.later(() => callback(this.program.toGuest({ errMsg: 'closeSocket:ok' })))
    }
    if (this.ended) return
    this.opened ? this.line.close(code, reason) : this.line?.terminate()
    setTimeout(() => this.end(code, reason), CLOSE_COMES_LATE_MS)
  }

  /** The platform cuts the line without asking; it reports 1000, as if it had been a clean close. */
  interrupt() {
    if (this.ended) return
    this.end(1000, 'interrupted')
    this.line?.terminate()
  }

  failed(errMsg) {
    if (this.ended) return
    this.emit('error', { errMsg })
    this.end(1006, 'abnormal closure')
  }

  end(code, reason) {
    if (this.ended) return
    this.ended = true
    this.runtime.sockets.delete(this)
    this.emit('close', { code, reason })
  }

  emit(name, event) {
    for (const handler of this.handlers[name]) this.runtime.later(() => handler(this.program.toGuest(event)))
    // Handlers attached in the same turn as the dial must not miss anything; later ones may.
    if (this.handlers[name].length === 0) this.program.logs.push(`nobody listened to the socket's ${name}`)
  }
}
