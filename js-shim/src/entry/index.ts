/** `heartline`: the modern API. */
export { detectHost } from '../host/detect'
export { myHost, qqHost, ttHost, uniHost, wxHost } from '../host/mini'
export { webHost } from '../host/web'
export type { ConnectOptions, Host, SendFate, Socket, SocketEvents } from '../types'
