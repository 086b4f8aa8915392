/** Hosts of the mini-program platforms: one per global object, all made alike. */
import type { ConnectOptions, Host, Socket, SocketEvents } from '../types'
import { connectMy } from '../socket/my'
import { connectTt } from '../socket/tt'
import { connectUni } from '../socket/uni'
import { connectWx } from '../socket/wx'
import type { MiniApi } from './api'
import { monotonicClock, randomBytes, setTimer } from './clock'
import { askNetwork, watchNetwork, watchVisibility } from './signals'

// These stay free identifiers: uni-app's compiler rewrites `uni` and `wx` to imports of its runtime.
declare const uni: MiniApi
declare const wx: MiniApi
declare const my: MiniApi
declare const tt: MiniApi
declare const qq: MiniApi

type Connect = (api: MiniApi, url: string, options: ConnectOptions, events: SocketEvents) => Socket

/** uni-app, on any platform. */
export function uniHost(api: MiniApi = uni): Host {
  return miniHost('uni', api, connectUni)
}

/** WeChat without uni-app. */
export function wxHost(api: MiniApi = wx): Host {
  return miniHost('wx', api, connectWx)
}

/** Alipay without uni-app. */
export function myHost(api: MiniApi = my): Host {
  return miniHost('my', api, connectMy)
}

/** Douyin without uni-app. */
export function ttHost(api: MiniApi = tt): Host {
  return miniHost('tt', api, connectTt)
}

/** QQ without uni-app. */
export function qqHost(api: MiniApi = qq): Host {
  return miniHost('qq', api, connectWx)
}

function miniHost(name: string, api: MiniApi, connect: Connect): Host {
  const host: Host = {
    name,
    connect: (url, options, events) => connect(api, url, options, events),
    now: monotonicClock(),
    setTimer,
    randomBytes,
    onVisibility: (listener) => watchVisibility(api, listener),
  }
  if (api.getNetworkType) host.networkOnline = (answer) => askNetwork(api, answer)
  if (api.onNetworkStatusChange) host.onNetwork = (listener) => watchNetwork(api, listener)
  return host
}
