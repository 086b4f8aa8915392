/** Hosts of the mini-program platforms: one per global object, all made alike. */
import { dialTask } from '../socket/task'
import type { TaskQuirks } from '../socket/task'
import { uniQuirks } from '../socket/uni'
import type { Host } from '../types'
import type { MiniApi } from './api'
import { plainHost } from './clock'
import { askNetwork, watchNetwork, watchVisibility } from './signals'

// These stay free identifiers: uni-app's compiler rewrites `uni` and `wx` to imports of its runtime.
declare const uni: MiniApi
declare const wx: MiniApi
declare const my: MiniApi
declare const tt: MiniApi
declare const qq: MiniApi

/** uni-app, on any platform. */
export function uniHost(api: MiniApi = uni): Host {
  return miniHost('uni', api, uniQuirks)
}

/** WeChat without uni-app. */
export function wxHost(api: MiniApi = wx): Host {
  return miniHost('wx', api)
}

/** Alipay without uni-app. */
export function myHost(api: MiniApi = my): Host {
  const host = miniHost('my', api)
  // Alipay's storage takes and gives objects.
  if (api.getStorageSync && api.setStorageSync) {
    host.storage = {
      get: (key) => (api.getStorageSync!({ key }) || {}).data,
      set: (key, data) => api.setStorageSync!({ key, data }),
    }
  }
  return host
}

/** Douyin without uni-app. */
export function ttHost(api: MiniApi = tt): Host {
  return miniHost('tt', api)
}

/** QQ without uni-app. */
export function qqHost(api: MiniApi = qq): Host {
  return miniHost('qq', api)
}

function miniHost(name: string, api: MiniApi, quirks: TaskQuirks = {}): Host {
  const host = plainHost(name, (url, options, events) => dialTask(api, quirks, url, options, events))
  host.onVisibility = (listener) => watchVisibility(api, listener)
  if (api.getStorageSync && api.setStorageSync) {
    host.storage = { get: (key) => api.getStorageSync!(key), set: (key, data) => api.setStorageSync!(key, data) }
  }
  if (api.getNetworkType) host.networkOnline = (answer) => askNetwork(api, answer)
  if (api.onNetworkStatusChange) host.onNetwork = (listener) => watchNetwork(api, listener)
  return host
}
