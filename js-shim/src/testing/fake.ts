/**
 * A fake `uni` (equally `wx`, `my` or `tt`) over a fake clock and a server within the test. It misbehaves as the
 * chosen platform does, and a test drops the line, hides the app or switches the network at will.
 */
import { uniHost } from '../entry/index'
import type { Host } from '../types'
import { FakeClock, globalScope } from './clock'
import { traitsOf } from './profile'
import type { FakePlatform, Traits } from './profile'
import { FakeServer } from './server'
import { FakeSocket } from './socket'
import type { Line } from './socket'

export interface FakeUniOptions {
  /** Whose misbehaviour; 'wechat' by default. */
  platform?: FakePlatform
  /** Single traits to change. */
  traits?: Partial<Traits>
  /** One way, client to server or back; 20 ms by default. */
  latencyMs?: number
  /** `getApp().globalData`. */
  globalData?: Record<string, any>
}

export interface FakeUni {
  /** The fake `uni`. */
  readonly uni: any
  /** A host on it, for `createHeartline({ host: fake.host, … })` without `install`. */
  readonly host: Host
  readonly clock: FakeClock
  readonly server: FakeServer
  /** Every socket ever dialled, oldest first. */
  readonly sockets: FakeSocket[]
  /** What `showToast` was called with. */
  readonly toasts: any[]
  /** What `getApp()` returns. */
  readonly app: { globalData: Record<string, any> }
  readonly traits: Traits

  /** Moves the clock, ringing timers and letting promises run. */
  advance(ms: number): Promise<void>
  /** Lets everything run that needs no time. */
  settle(): Promise<void>
  /** Puts `uni`, the platform's own object, `getApp`, the timers and `Date.now` on the global object. Returns the way back. */
  install(): () => void

  /** Breaks every open line; the platform reports it in its own way. */
  drop(): void
  /** Frames vanish in both directions and nobody is told. `false`: new dials get through; the sockets of before stay dead. */
  halfOpen(on?: boolean): void
  /** Reports success for the next `count` sends, and loses them. */
  loseSends(count: number): void
  /** The app goes to the background. The platform may kill its sockets, as `traits` say. */
  hide(): void
  /** The app comes back. */
  show(): void
  /** Switches the network: 'none', 'wifi', '4g' … Sockets of the former network stay, and are dead. */
  network(type: string): void
  /** Live sockets: what counts towards a platform's limit. */
  readonly alive: FakeSocket[]
}

export function createFakeUni(options: FakeUniOptions = {}): FakeUni {
  const platform = options.platform || 'wechat'
  const traits = traitsOf(platform, options.traits)
  const clock = new FakeClock()
  const server = new FakeServer((ms, run) => clock.setTimer(ms, run))
  const sockets: FakeSocket[] = []
  const toasts: any[] = []
  const app = { globalData: options.globalData || {} }
  const globalListeners: { [event: string]: (event: any) => void } = {}
  const storage: { [key: string]: any } = {}
  const network = { type: 'wifi', listeners: [] as Array<(event: any) => void> }
  const visibility = { show: [] as Array<() => void>, hide: [] as Array<() => void> }
  let cancelKill = () => {}

  const alive = () => sockets.filter((socket) => socket.isAlive)
  const line: Line = {
    clock,
    traits,
    server,
    latencyMs: options.latencyMs === undefined ? 20 : options.latencyMs,
    cut: false,
    offline: false,
    loseSends: 0,
    emit(socket, name, event) {
      // Where ids are the clock, the later socket of one millisecond gets the events of both.
      const heirs = traits.clockIds ? sockets.filter((other) => other.id === socket.id) : [socket]
      const heir = heirs[heirs.length - 1]
      heir.listeners[name].slice().forEach((listener) => listener(event))
      const first = sockets[0] === socket || alive()[0] === socket || traits.task === 'never'
      if (traits.globalApi && first && globalListeners[name]) globalListeners[name](event)
    },
  }

  const connectSocket = (call: any): unknown => {
    const hasCallback = !!(call.success || call.fail || call.complete)
    const fulfil = (ok: boolean, event: any) => {
      const run = () => {
        const callback = ok ? call.success : call.fail
        if (callback) callback(event)
        if (call.complete) call.complete(event)
      }
      if (traits.syncCallbacks) run()
      else clock.setTimer(traits.errorOvertakesSuccess ? 3 * line.latencyMs : 0, run)
    }
    if (alive().length >= traits.maxSockets) {
      fulfil(false, { errMsg: 'connectSocket:fail exceed max task count' })
      return hasCallback ? new FakeSocket(line, -1, call.url).task : undefined
    }
    const socket = new FakeSocket(line, traits.clockIds ? clock.now() : sockets.length + 1, call.url)
    sockets.push(socket)
    fulfil(true, { errMsg: 'connectSocket:ok' })
    clock.setTimer(line.latencyMs, () => socket.arrive())
    const given =
      traits.task === 'always' ||
      (traits.task === 'with-callback' && hasCallback) ||
      (traits.task === 'with-multiple' && call.multiple === true)
    if (given) return socket.task
    if (hasCallback) return undefined
    const { promise } = traits
    return Promise.resolve(promise === 'task' ? socket.task : promise === 'pair' ? [null, socket.task] : undefined)
  }

  const listen = (list: Array<(event?: any) => void>) => (listener: () => void) => void list.push(listener)
  const unlisten = (list: Array<(event?: any) => void>) => (listener?: () => void) => {
    const at = listener ? list.indexOf(listener) : -1
    if (at >= 0) list.splice(at, 1)
  }
  const uni: any = {
    connectSocket,
    getNetworkType(call: any) {
      if (traits.networkAnswerMs === Infinity) return
      clock.setTimer(traits.networkAnswerMs, () => {
        const event = { networkType: network.type, errMsg: 'getNetworkType:ok' }
        if (call.success) call.success(event)
        if (call.complete) call.complete(event)
      })
    },
    onNetworkStatusChange: listen(network.listeners),
    onAppShow: listen(visibility.show),
    offAppShow: unlisten(visibility.show),
    onAppHide: listen(visibility.hide),
    offAppHide: unlisten(visibility.hide),
    showToast: (call: any) => void toasts.push(call),
    getStorageSync: (key: string) => (key in storage ? storage[key] : ''),
    setStorageSync: (key: string, value: any) => void (storage[key] = value),
    removeStorageSync: (key: string) => void delete storage[key],
  }
  if (traits.offNetwork) uni.offNetworkStatusChange = unlisten(network.listeners)
  if (traits.globalApi) {
    // Of the first live socket only, and one listener each: a later one replaces it.
    for (const name of ['open', 'message', 'error', 'close']) {
      const method = 'onSocket' + name.charAt(0).toUpperCase() + name.slice(1)
      uni[method] = (listener: (event: any) => void) => void (globalListeners[name] = listener)
    }
    uni.sendSocketMessage = (call: any) => {
      const first = alive()[0]
      if (first) (first.task.send as any)(call)
      else if (call.fail) call.fail({ errMsg: 'sendSocketMessage:fail no socket' })
    }
    uni.closeSocket = (call: any) => {
      const first = alive()[0]
      if (first && first.phase === 'open') (first.task.close as any)(call)
    }
  }

  const adapter = uniHost(uni)
  const host: Host = Object.assign({}, adapter, {
    name: 'test',
    now: () => clock.now(),
    setTimer: (ms: number, run: () => void) => clock.setTimer(ms, run),
  })

  return {
    uni,
    host,
    clock,
    server,
    sockets,
    toasts,
    app,
    traits,
    advance: (ms) => clock.advance(ms),
    settle: () => clock.settle(),
    install() {
      const scope = globalScope()
      const before: { [name: string]: unknown } = {}
      const ours: { [name: string]: unknown } = { uni, getApp: () => app }
      const own = { wechat: 'wx', alipay: 'my', douyin: 'tt', qq: 'qq', app: 'plus', h5: '' }[platform]
      if (own) ours[own] = own === 'plus' ? {} : uni
      for (const name of Object.keys(ours)) {
        before[name] = scope[name]
        scope[name] = ours[name]
      }
      const restoreClock = clock.install()
      return () => {
        restoreClock()
        for (const name of Object.keys(before)) {
          if (before[name] === undefined) delete scope[name]
          else scope[name] = before[name]
        }
      }
    },
    drop: () => alive().forEach((socket) => socket.fail('connection reset')),
    halfOpen(on = true) {
      line.cut = on
      // Frames already lost stay lost: sockets of before do not come to life again.
      if (on) alive().forEach((socket) => (socket.dead = true))
    },
    loseSends: (count) => void (line.loseSends = count),
    hide() {
      visibility.hide.slice().forEach((listener) => listener())
      if (traits.hideKillsAfterMs === Infinity) return
      cancelKill = clock.setTimer(traits.hideKillsAfterMs, () =>
        alive().forEach((socket) => socket.closed(traits.hideCloseCode, 'interrupted')),
      )
    },
    show() {
      cancelKill()
      visibility.show.slice().forEach((listener) => listener())
    },
    network(type) {
      network.type = type
      line.offline = line.cut = type === 'none'
      alive().forEach((socket) => (socket.dead = true))
      const event: any = { networkType: type }
      if (traits.networkEventSaysConnected) event.isConnected = type !== 'none'
      network.listeners.slice().forEach((listener) => listener(event))
    },
    get alive() {
      return alive()
    },
  }
}
