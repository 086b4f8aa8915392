// The peer `socket.io`: login by the classic token, one room per user, publish to a room.
// Usage: node socketio.mjs PORT KEY
import { createHash } from 'node:crypto'
import { createServer } from 'node:http'
import { Server } from 'socket.io'

const [port, key] = process.argv.slice(2)
const http = createServer()
// Pings come so rarely that none falls into a measurement: so it is with every peer.
const io = new Server(http, { transports: ['websocket'], pingInterval: 3600000, pingTimeout: 3600000, serveClient: false })

io.on('connection', (socket) => {
  socket.on('login', (data, answer) => {
    const ok = createHash('md5').update(data.u.split(':')[1] + key).digest('hex') === data.token
    if (ok) socket.join(data.u)
    answer({ error: ok ? 0 : 1 })
  })
  socket.on('heartbeat', (answer) => answer({ error: 0 }))
  socket.on('publish', (data) => io.to(data.to).emit('chat1', data.msg))
})
http.listen({ host: '127.0.0.1', port: Number(port), backlog: 4096 })
