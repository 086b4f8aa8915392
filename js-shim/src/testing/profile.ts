/**
 * How each platform misbehaves, as far as it is known. A test picks a platform and may change single traits:
 * `createFakeUni({ platform: 'app', traits: { lateCloseMs: 3000 } })`.
 */

export type FakePlatform = 'wechat' | 'app' | 'alipay' | 'douyin' | 'h5' | 'qq'

export interface Traits {
  /** When `connectSocket` gives a SocketTask: always; with a callback passed; with `multiple: true`; never. */
  task: 'always' | 'with-callback' | 'with-multiple' | 'never'
  /** What the Promise given instead of a task resolves to: the task, uni-app Vue 2's `[error, task]`, or nothing. */
  promise: 'task' | 'pair' | 'nothing'
  /** Whether the global functions (`onSocketOpen`, `sendSocketMessage` …) are there. */
  globalApi: boolean
  /** What follows a failed dial or a broken line: an error and then a close, or only one of them. */
  failure: 'error-then-close' | 'error-only' | 'close-only'
  /** What `readyState` says: the truth; CLOSED while connecting; or OPEN for ever. */
  readyState: 'true' | 'closed-while-connecting' | 'always-open'
  /** What a send on a socket that is not open does. */
  sendWhenNotOpen: 'fail' | 'fail-twice' | 'fail-then-send'
  /** In which shape bytes arrive. */
  binary: 'arraybuffer' | 'base64' | 'bridge'
  /** Whether success and fail are called before the call returns. */
  syncCallbacks: boolean
  /** A `close` before the open is ignored, though it reports success. */
  closeBeforeOpenIgnored: boolean
  /** A closed socket's close event comes this much later; Infinity: never. */
  lateCloseMs: number
  /** The limit on sockets that are alive at once. */
  maxSockets: number
  /** The socket's id is the clock: two dials in one millisecond share their events. */
  clockIds: boolean
  /** The platform kills sockets this long after the app was hidden; Infinity: never. */
  hideKillsAfterMs: number
  /** … and reports this close code. */
  hideCloseCode: number
  /** Whether the network event says `isConnected`. */
  networkEventSaysConnected: boolean
  /** Whether `offNetworkStatusChange` exists. */
  offNetwork: boolean
  /** `getNetworkType` answers after this long; Infinity: never. */
  networkAnswerMs: number
  /** Every event is told twice. */
  doubleEvents: boolean
  /** The error event of a failed dial overtakes `connectSocket`'s success. */
  errorOvertakesSuccess: boolean
}

const plain: Traits = {
  task: 'with-callback',
  promise: 'nothing',
  globalApi: true,
  failure: 'error-then-close',
  readyState: 'true',
  sendWhenNotOpen: 'fail',
  binary: 'arraybuffer',
  syncCallbacks: false,
  closeBeforeOpenIgnored: false,
  lateCloseMs: 10,
  maxSockets: Infinity,
  clockIds: false,
  hideKillsAfterMs: Infinity,
  hideCloseCode: 1006,
  networkEventSaysConnected: true,
  offNetwork: true,
  networkAnswerMs: 5,
  doubleEvents: false,
  errorOvertakesSuccess: false,
}

const platforms: { [P in FakePlatform]: Partial<Traits> } = {
  wechat: { readyState: 'always-open', maxSockets: 5, hideKillsAfterMs: 5000 },
  app: {
    failure: 'error-only',
    readyState: 'closed-while-connecting',
    sendWhenNotOpen: 'fail-then-send',
    binary: 'bridge',
    clockIds: true,
  },
  alipay: { task: 'with-multiple', binary: 'base64', maxSockets: 5, offNetwork: false },
  douyin: { task: 'always', globalApi: false, maxSockets: 5, networkEventSaysConnected: false, offNetwork: false },
  h5: { sendWhenNotOpen: 'fail-twice', syncCallbacks: true },
  qq: { maxSockets: 5, offNetwork: false, hideKillsAfterMs: 5000 },
}

/** The traits of a platform, with single ones replaced. */
export function traitsOf(platform: FakePlatform, changed: Partial<Traits> = {}): Traits {
  return Object.assign({}, plain, platforms[platform], changed)
}
