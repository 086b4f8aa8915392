// The `wx` object: what the examples and uni-app's runtime call, and no more.

import { connectSocket } from './socket.js'

const SYSTEM = {
  platform: 'android',
  system: 'Android 9',
  model: 'sandbox',
  brand: 'sandbox',
  language: 'zh_CN',
  version: '8.0.50',
  SDKVersion: '2.19.4',
  pixelRatio: 2,
  windowWidth: 390,
  windowHeight: 760,
  screenWidth: 390,
  screenHeight: 844,
  statusBarHeight: 44,
  theme: 'light',
}

/** The platform object of one package. */
export function makeWx(program) {
  const { runtime, pages, storage } = program
  const guest = (value) => program.toGuest(value)
  /** Ends an asynchronous call: success or fail, then complete, each in a turn of its own. */
  const finish = (options, ok, result) => {
    for (const callback of [ok ? options?.success : options?.fail, options?.complete]) {
      if (callback) runtime.later(() => callback(guest(result)))
    }
  }
  const system = () => guest(SYSTEM)
  const listen = (kind) => (listener) => void runtime.listeners[kind].add(listener)
  const unlisten = (kind) => (listener) => void runtime.listeners[kind].delete(listener)
  const navigate = (name) => (options) => {
    runtime.later(() => pages[name](options?.url))
    finish(options, true, { errMsg: `${name}:ok` })
  }
  const badge = (name, change) => (options) => {
    const ok = pages.onTabBar()
    if (ok) change(options)
    finish(options, ok, { errMsg: ok ? `${name}:ok` : `${name}:fail not TabBar page` })
  }

  return {
    getSystemInfoSync: system,
    getAppBaseInfo: system,
    getDeviceInfo: system,
    getWindowInfo: system,
    getLaunchOptionsSync: () => guest({ path: program.manifest.pages[0], scene: 1001, query: {} }),
    getEnterOptionsSync: () => guest({ path: program.manifest.pages[0], scene: 1001, query: {} }),
    canIUse: () => true,
    nextTick: (run) => runtime.later(run),

    getStorageSync: (key) => (key in storage ? guest(storage[key]) : ''),
    setStorageSync: (key, value) => void (storage[key] = JSON.parse(JSON.stringify(value))),
    setStorage(options) {
      storage[options.key] = JSON.parse(JSON.stringify(options.data))
      finish(options, true, { errMsg: 'setStorage:ok' })
    },
    removeStorageSync: (key) => void delete storage[key],

    onAppShow: listen('show'),
    offAppShow: unlisten('show'),
    onAppHide: listen('hide'),
    offAppHide: unlisten('hide'),
    onNetworkStatusChange: listen('network'),
    offNetworkStatusChange: unlisten('network'),
    getNetworkType: (options) =>
      finish(options, true, { networkType: runtime.online ? 'wifi' : 'none', errMsg: 'getNetworkType:ok' }),

    navigateTo: navigate('navigateTo'),
    redirectTo: navigate('redirectTo'),
    reLaunch: navigate('reLaunch'),
    switchTab: navigate('switchTab'),
    setNavigationBarTitle: (options) => finish(options, true, { errMsg: 'setNavigationBarTitle:ok' }),
    showToast(options) {
      program.toasts.push({ title: options.title, icon: options.icon, duration: options.duration })
      finish(options, true, { errMsg: 'showToast:ok' })
    },
    setTabBarBadge: badge('setTabBarBadge', ({ index, text }) => (program.badges[index] = text)),
    removeTabBarBadge: badge('removeTabBarBadge', ({ index }) => delete program.badges[index]),

    connectSocket: (options) => connectSocket(program, options),
    request: (options) => request(options, finish),
    // Only ever asynchronous here: of no use to code that needs bytes now.
    getRandomValues: (options) => finish(options, true, { errMsg: 'getRandomValues:ok' }),
  }
}

async function request(options, finish) {
  try {
    const init = { method: options.method || 'GET', headers: options.header, signal: AbortSignal.timeout(options.timeout || 60_000) }
    if (init.method !== 'GET') init.body = options.data
    const reply = await fetch(options.url, init)
    const text = await reply.text()
    finish(options, true, { statusCode: reply.status, data: decoded(text), header: {}, errMsg: 'request:ok' })
  } catch (error) {
    finish(options, false, { errMsg: `request:fail ${error.message}` })
  }
}

function decoded(text) {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
