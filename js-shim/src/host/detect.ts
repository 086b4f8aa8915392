/** Which platform is this? Asked when a client is made, never at import time. */
import type { Host } from '../types'
import type { MiniApi } from './api'
import { myHost, qqHost, ttHost, uniHost, wxHost } from './mini'
import { webHost } from './web'

declare const uni: MiniApi | undefined
declare const wx: MiniApi | undefined
declare const my: MiniApi | undefined
declare const tt: MiniApi | undefined
declare const qq: MiniApi | undefined

/**
 * The host of the running platform. uni-app first; then the platforms' own objects, `wx` last because others
 * offer an alias of that name; then the standard WebSocket. A `wx` without sockets (WeChat's page SDK) is passed over.
 */
export function detectHost(): Host {
  if (typeof uni !== 'undefined' && dials(uni)) return uniHost(uni)
  if (typeof my !== 'undefined' && dials(my)) return myHost(my)
  if (typeof tt !== 'undefined' && dials(tt)) return ttHost(tt)
  if (typeof qq !== 'undefined' && dials(qq)) return qqHost(qq)
  if (typeof wx !== 'undefined' && dials(wx)) return wxHost(wx)
  return webHost()
}

function dials(api: MiniApi | undefined): api is MiniApi {
  return !!api && typeof api.connectSocket === 'function'
}
