/**
 * `heartline/compat`: the classic class on the new core. A page written for the original keeps working unchanged;
 * the original's defects do not come along.
 */
import { createHeartline, detectHost, HeartlineError } from './index'
import type { HeartlineClient, HeartlineOptions, Host, ReplyData } from './index'
// At hand, not fetched: a classic page names no wasm, and uni-app's H5 build cannot fetch chunks of packages.
import * as javascriptBuild from '../../pkg/heartline_wasm2js.js'
import { FUNCTION, must, mustBeAll, mustBeUrl, OBJECT, TEXT } from '../core/check'
import { isThenable } from '../socket/task'
import { readSession, signatureOf } from '../compat/session'
import type { Jwt, Session } from '../compat/session'

export type { ReplyData } from './index'
export type { Jwt, Session } from '../compat/session'

// Free identifier: uni-app's compiler turns `uni.showToast` into an import on H5.
declare const uni: { showToast(options: unknown): unknown }

/** What the classic constructor takes, and what was added to it. */
export interface UniSocketPromiseOptions {
  url: string
  debug?: boolean
  /** Between two attempts to connect, in milliseconds. */
  reConnectTime?: number
  /** Between two heartbeats, in milliseconds. */
  heartTime?: number
  /**
   * Who the user is: `getUser()` gives `{ user_id, socket_token }`. The original imported a module of the project
   * for this. Without the option: the static `UniSocketPromise.jwt`, then `getApp().globalData.jwt`, then a global `jwt`.
   */
  jwt?: Jwt
  /** What stands before the user's id at login; 'user' by default. */
  role?: string
  /** The toast after each login; false for none. */
  toast?: string | false
  /** The platform, if it is not to be found at run time. */
  host?: Host
  /** Further options of the modern client, such as `wasm`. */
  client?: Partial<HeartlineOptions>
}

/** The classic options with their defaults. `url` may be changed at any time: each dial reads it. */
export interface UniSocketPromiseConfig extends UniSocketPromiseOptions {
  debug: boolean
  reConnectTime: number
  heartTime: number
  role: string
  toast: string | false
}

/** What a classic page's `_close` may pass: the options of `uni.closeSocket`. */
export interface CloseOption {
  code?: number
  reason?: string
  success?(result: { errMsg: string }): void
  complete?(result: { errMsg: string }): void
}

/** Who the user is, is looked up at least this often; changes take effect within this time. */
const IDENTITY_POLL_MS = 1000
/** `getApp()` is not there yet in `onLaunch`: a first look soon after. */
const FIRST_POLL_MS = 100
/** So many callbacks of `initSocket` wait for the open; beyond, the oldest goes. */
const MAX_OPENERS = 32

export class UniSocketPromise {
  /** For all instances without a `jwt` of their own. */
  static jwt: Jwt | undefined

  readonly config: UniSocketPromiseConfig

  private readonly client!: HeartlineClient
  private readonly host!: Host
  private looping = false
  private present = false
  private signature: string | undefined
  private cancelPoll: (() => void) | undefined
  private readonly openers: Array<() => void> = []

  constructor(options: UniSocketPromiseOptions) {
    mustBeAll(options, { jwt: 'object or function', role: TEXT, client: OBJECT, host: OBJECT })
    if (options.jwt) must('jwt.getUser', options.jwt.getUser, FUNCTION)
    this.config = Object.assign(
      { debug: false, reConnectTime: 5000, heartTime: 60000, role: 'user', toast: '上线成功' },
      options,
    )
    const { config } = this
    const platform = config.host || detectHost()
    const host: Host = Object.create(platform)
    host.connect = (url, connectOptions, events) => {
      // Somebody may have logged out since the last look: ask once more before the dial.
      this.checkIdentity()
      if (this.present) return platform.connect(url, connectOptions, events)
      return { send: (_text, done) => done('not-sent'), close() {} }
    }
    const client = createHeartline(
      Object.assign({ wasm: javascriptBuild }, config.client, {
        url: () => config.url,
        host,
        debug: config.debug,
        // Numbers, which the original's timers also took as texts.
        reconnectTime: amount(config.reConnectTime),
        heartbeatMs: amount(config.heartTime),
        credentials: () => this.credentials(),
      }),
    )
    // Not enumerable: Vue 2 would walk into the client if a page keeps this object in its `data`.
    Object.defineProperty(this, 'client', { value: client })
    Object.defineProperty(this, 'host', { value: host })
    client.listen('login', () => this.toast())
    client.listen('state', () => {
      // One that throws leaves the rest to the next news, which is the login.
      while (client.isOpen && this.openers.length) this.call(this.openers.shift())
    })
    client.listen('disconnect', () => {
      if (!this.looping) client.stop()
    })
  }

  /** A socket is being dialled or is open. */
  get IsConnected(): boolean {
    return this.client.isConnected
  }

  /** The socket is open. */
  get IsOpen(): boolean {
    return this.client.isOpen
  }

  /** Logged in on the open socket. */
  get IsLogin(): boolean {
    return this.client.isLogin
  }

  /** Resolves once the core has been loaded. Nothing needs to wait for it. */
  get loaded(): Promise<void> {
    return this.client.loaded
  }

  /** Dials once, now; `success` is called when the socket is open. Without `_connectionLoop` a lost line stays lost. */
  initSocket(success?: () => void): void {
    must('success', success, FUNCTION, true)
    this.begin()
    if (success) this.whenOpen(success)
  }

  /** Keeps a line from now on. A second call changes nothing. */
  _connectionLoop(): void {
    this.begin()
    this.looping = true
  }

  /** Asks the server; resolves with the reply's `data` when its `error` is 0, else rejects with it. Settles always. */
  _send(event: string, data?: unknown): Promise<ReplyData> {
    return this.client.request(event, data, { beforeLogin: true }).then(undefined, (error) => {
      throw classicFailure(error)
    })
  }

  /** Closes the socket. A running loop brings it back after `reConnectTime`; `destroy` closes for good. */
  _close(option?: CloseOption): void {
    must('option', option, OBJECT, true)
    if (this.looping) this.client.disconnect()
    else this.client.stop()
    const result = { errMsg: 'closeSocket:ok' }
    if (option && option.success) this.call(() => option.success!(result))
    if (option && option.complete) this.call(() => option.complete!(result))
  }

  /** `callback` gets each message of this event, whole. It replaces the event's former callback. */
  on(event: string, callback: (message: any) => void): void {
    must('callback', callback, FUNCTION)
    this.client.on(event, (message: any) => callback(message), { replace: true })
  }

  /** Removes the event's callback. */
  uninstall(event: string): void {
    must('event', event, TEXT)
    this.client.off(event)
  }

  /** Closes for ever and lets everything go. */
  destroy(): void {
    this.looping = false
    if (this.cancelPoll) this.cancelPoll()
    this.cancelPoll = undefined
    this.client.destroy()
  }

  /** A callback that the page gave. What it throws is its caller's; what it rejects with goes where that of listeners does. */
  private call(callback: (() => unknown) | undefined): void {
    const answer = callback && callback()
    if (isThenable(answer)) answer.then(undefined, (error) => this.report(error))
  }

  private report(error: unknown): void {
    const { client } = this.config
    const { onListenerError } = client || ({} as Partial<HeartlineOptions>)
    if (onListenerError) onListenerError(error)
    else console.error('heartline:', error)
  }

  private begin(): void {
    // Not earlier: `config.url` may be set after the construction.
    mustBeUrl(this.config.url)
    this.checkIdentity()
    this.client.start()
    if (!this.cancelPoll) this.poll(FIRST_POLL_MS)
  }

  private poll(ms: number): void {
    this.cancelPoll = this.host.setTimer(ms, () => {
      this.checkIdentity()
      this.poll(Math.min(IDENTITY_POLL_MS, this.config.reConnectTime))
    })
  }

  /** Tells the client when somebody else, or nobody, is logged in to the app. */
  private checkIdentity(): void {
    const session = this.session()
    const signature = signatureOf(session)
    if (signature === this.signature) return
    this.signature = signature
    this.present = session.isLogin
    this.client.identity(session.isLogin)
  }

  private session(): Session {
    return readSession(this.config.jwt || (this.constructor as typeof UniSocketPromise).jwt)
  }

  private credentials(): Promise<{ u: string; token: string } | null> {
    return Promise.resolve(this.session().user).then((user) => {
      if (!user || user.user_id === undefined || user.user_id === null || !user.socket_token) return null
      return { u: `${this.config.role}:${user.user_id}`, token: String(user.socket_token) }
    })
  }

  private toast(): void {
    const { toast } = this.config
    if (!toast) return
    try {
      uni.showToast({ title: toast, icon: 'none', duration: 2000 })
    } catch (_) {
      // No uni, or no page to show it on: the line is up all the same.
    }
  }

  private whenOpen(success: () => void): void {
    if (this.client.isOpen) return this.call(success)
    this.openers.push(success)
    if (this.openers.length > MAX_OPENERS) this.openers.shift()
  }
}

export default UniSocketPromise

function amount(value: unknown): number | undefined {
  return value === undefined || value === null ? undefined : Number(value)
}

/** What a classic page's `catch` expects: the reply's data; or, when there was none, an error of the same shape. */
function classicFailure(error: unknown): unknown {
  if (!(error instanceof HeartlineError)) return error
  if (error.code === 'refused') return error.data
  return Object.assign(error, { error: 1, body: error.message })
}
