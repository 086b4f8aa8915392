// What a page writes by hand when it has no client: the classic class's work and no more, as plainly as it can be
// written. The costs of ours are compared with it.

/** Dials, logs in, keeps a heartbeat; `handlers` are called with their event's messages, `ready` once logged in. */
export function plainClient(socketClass, url, { u, token, handlers, ready, heartbeatMs = 60000 }) {
  const pending = new Map()
  const socket = new socketClass(url)
  let last = 0

  function send(event, data) {
    const uuid = String(++last)
    return new Promise((resolve, reject) => {
      pending.set(uuid, { resolve, reject })
      socket.send(JSON.stringify({ event, data, uuid }))
    })
  }

  socket.onopen = () => send('login', { u, token }).then(ready)
  socket.onmessage = (event) => {
    let data
    try {
      data = JSON.parse(event.data)
    } catch (_) {
      return
    }
    if (data.type === 'respon') {
      const asked = pending.get(data.event)
      pending.delete(data.event)
      if (asked && data.data.error === 0) asked.resolve(data.data)
      else if (asked) asked.reject(data.data)
      return
    }
    if (data.type === 'ping') {
      socket.send(JSON.stringify({ event: 'response', uuid: data.uuid }))
      return
    }
    const handler = handlers[data.event]
    if (handler) {
      try {
        handler(data)
      } catch (error) {
        console.error(error)
      }
    }
  }
  const timer = setInterval(() => send('ping'), heartbeatMs)
  return () => {
    clearInterval(timer)
    socket.close()
  }
}
