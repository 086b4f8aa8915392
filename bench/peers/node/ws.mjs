// The peer `ws`: login by the classic token, one set of sockets per user, publish to a user's sockets.
// Written as its documentation's broadcast example does it. Usage: node ws.mjs PORT KEY
import { createHash } from 'node:crypto'
import { WebSocketServer } from 'ws'

const [port, key] = process.argv.slice(2)
const users = new Map()
const server = new WebSocketServer({ host: '127.0.0.1', port: Number(port), backlog: 4096, perMessageDeflate: false })

server.on('connection', (socket) => {
  let user
  socket.on('error', () => socket.terminate())
  socket.on('message', (bytes) => {
    const { event, data, uuid } = JSON.parse(bytes.toString())
    if (event === 'login') {
      const token = createHash('md5').update(data.u.split(':')[1] + key).digest('hex')
      const ok = token === data.token
      if (ok) {
        user = data.u
        if (!users.has(user)) users.set(user, new Set())
        users.get(user).add(socket)
      }
      socket.send(JSON.stringify({ type: 'respon', event: uuid, data: { error: ok ? 0 : 1 } }))
    } else if (event === 'ping') {
      socket.send(JSON.stringify({ type: 'respon', event: uuid, data: { error: 0 } }))
    } else if (event === 'publish') {
      const text = JSON.stringify({ type: 'app', event: 'chat1', to: data.to, msg: data.msg })
      for (const client of users.get(data.to) ?? []) if (client.readyState === 1) client.send(text)
    }
  })
  socket.on('close', () => users.get(user)?.delete(socket))
})
