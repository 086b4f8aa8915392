// The application's backend as the demo has it: the built page, tokens, the list of rooms, and the relay to the
// push endpoint. Files may be withheld (`blocked`), to see a page manage without its wasm.

import { createServer } from 'node:http'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { PUSH_HEADERS, token } from './server.js'

const TYPES = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.wasm': 'application/wasm',
  '.png': 'image/png',
  '.json': 'application/json',
}
const MAX_BODY_BYTES = 64 * 1024

export class Backend {
  /** Serves `files` and relays pushes to `server`. */
  static async start(server, files) {
    const backend = new Backend(server, files)
    backend.http = createServer((request, response) => {
      backend.answer(request).then(
        ([status, type, body]) => response.writeHead(status, { 'content-type': type }).end(body),
        (error) => response.writeHead(500).end(String(error)),
      )
    })
    backend.http.listen(0, '127.0.0.1')
    await once(backend.http, 'listening')
    backend.url = `http://127.0.0.1:${backend.http.address().port}`
    return backend
  }

  constructor(server, files) {
    this.server = server
    this.files = files
    this.blocked = () => false
    /** Paths asked for, in order. */
    this.asked = []
    /** What `GET /api/list` answers. */
    this.rooms = [{ id: '1', title: '在线客服', last: '有什么可以帮您？' }]
  }

  async stop() {
    this.http.closeAllConnections()
    this.http.close()
    await once(this.http, 'close')
  }

  async answer(request) {
    const { pathname, searchParams } = new URL(request.url, 'http://backend')
    this.asked.push(pathname)
    if (pathname === '/api/token') {
      const user = searchParams.get('u') || ''
      return json({ u: user, token: token(user.slice(user.indexOf(':') + 1)) })
    }
    if (pathname === '/api/list') return json(this.rooms)
    if (pathname === '/api/push') return [200, 'text/plain', await this.relay(request)]
    if (this.blocked(pathname)) return [404, 'text/plain', 'blocked']
    return this.file(pathname)
  }

  async relay(request) {
    const parts = []
    let size = 0
    for await (const part of request) {
      size += part.length
      if (size > MAX_BODY_BYTES) throw new Error('the body is too large')
      parts.push(part)
    }
    const headers = { ...PUSH_HEADERS, 'content-type': request.headers['content-type'] }
    const reply = await fetch(this.server.http, { method: 'POST', headers, body: Buffer.concat(parts) })
    return reply.text()
  }

  async file(pathname) {
    const at = path.join(this.files, pathname === '/' ? 'index.html' : pathname)
    if (!at.startsWith(this.files)) return [404, 'text/plain', 'outside']
    try {
      return [200, TYPES[path.extname(at)] || 'application/octet-stream', await readFile(at)]
    } catch {
      return [404, 'text/plain', 'no such file']
    }
  }
}

function json(value) {
  return [200, 'application/json', JSON.stringify(value)]
}
