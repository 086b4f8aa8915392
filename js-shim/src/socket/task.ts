/**
 * A socket made of a mini-program's SocketTask. The traps that all these platforms share are handled here;
 * what is peculiar to one platform is a {@link TaskQuirks} in that platform's file. The platforms without one are alike.
 */
import type { MiniApi } from '../host/api'
import type { ConnectOptions, SendFate, Socket, SocketEvents } from '../types'
import { payload } from './payload'
import { globalTask } from './uni-global'

/** The SocketTask of uni-app and of every mini-program platform. */
export interface SocketTask {
  onOpen(listener: (event?: unknown) => void): void
  onMessage(listener: (event: any) => void): void
  onError(listener: (event?: any) => void): void
  onClose(listener: (event?: any) => void): void
  send(options: { data: string; success(): void; fail(error?: unknown): void }): unknown
  close(options: CloseArguments): unknown
}

interface CloseArguments {
  code: number
  reason: string
  success(): void
  fail(error?: unknown): void
}

/** How one platform differs from the others. */
export interface TaskQuirks {
  /** A dial at this very moment would be taken for another one. */
  mustWait?(): boolean
  /** A send that "failed" may have left all the same (the App platform). */
  failedSendMayLeave?(): boolean
}

/** Until the next moment, in milliseconds. */
const WAIT_MS = 2

/** How often a socket that lives on after its close is told again. */
const MAX_CLOSE_CALLS = 4

export function dialTask(
  api: MiniApi,
  quirks: TaskQuirks,
  url: string,
  options: ConnectOptions,
  events: SocketEvents,
): Socket {
  let task: SocketTask | undefined
  // One attempt goes from dialling to open to over, and never back. Bad platforms report twice, late, or out of order; the
  // client hears `open? message* (error | close)`, and nothing once it closed the attempt itself. The platform's
  // `readyState` is never asked.
  let isOpen = false
  let isOver = false
  let muted = false
  let returned = false
  let closed = closeArguments(1000, '')
  let closeCalls = 0

  const shut = () => {
    if (task && closeCalls++ < MAX_CLOSE_CALLS) quietly(() => task!.close(closed))
  }
  /** The client has its `Socket` in hand before it hears of it: what comes earlier is told next. */
  const tell = (news: () => void) => {
    if (returned) news()
    else Promise.resolve().then(() => muted || news())
  }
  /** False: it was over already. */
  const end = () => {
    isOpen = false
    return !isOver && (isOver = true)
  }
  const fail = (error: unknown) => {
    if (end()) tell(() => events.error(describe(error)))
    // Not every platform frees an errored socket, and it counts towards the limit of five.
    shut()
  }
  const open = () => {
    isOpen = true
    tell(events.open)
  }
  // All four handlers at once, in the same turn as the connect call, or the open event can be missed.
  const adopt = (candidate: SocketTask) => {
    task = candidate
    task.onOpen(() => (isOver ? shut() : isOpen || open()))
    task.onMessage((event) => {
      // Text, as nearly always, needs no further look.
      const data = event && typeof event.data === 'string' && !event.isBuffer ? event.data : payload(event)
      if (isOver) return shut()
      if (data === undefined) return
      // A message before the open event: the platform lost the open. The socket evidently is.
      if (!isOpen) open()
      if (isOver) return
      // Not through `tell`, which costs a closure for each message.
      if (returned) events.message(data)
      else tell(() => events.message(data))
    })
    task.onError((event) => isOver || fail(event))
    task.onClose((event) => {
      const { code, reason } = (event && typeof event.data === 'object' && event.data) || event || ({} as any)
      if (end()) tell(() => events.close(code === undefined ? code : Number(code), reason))
    })
    if (isOver) shut()
  }
  const accept = (result: unknown) => {
    // Vue 2 resolves [error, task].
    const [error, made] = Array.isArray(result) ? result : [undefined, result]
    if (error) return fail(error)
    const candidate = isTask(made) ? made : globalTask(api)
    if (candidate) adopt(candidate)
    else fail('connectSocket gave no SocketTask')
  }
  const dial = () => {
    if (isOver) return
    if (quirks.mustWait && quirks.mustWait()) return void setTimeout(dial, WAIT_MS)
    const call: Record<string, unknown> = {
      url,
      // Alipay gives a task only when asked for several; the others do not look at it.
      multiple: true,
      // Without one of these uni.connectSocket gives a Promise and the task is lost.
      success: nothing,
      fail,
    }
    if (options.protocols) call.protocols = options.protocols
    if (options.header) call.header = options.header
    try {
      const result = api.connectSocket(call)
      if (isThenable(result) && !isTask(result)) result.then(accept, fail)
      else accept(result)
    } catch (error) {
      fail(error)
    }
  }

  dial()
  returned = true

  return {
    send(text, done) {
      if (!isOpen) return done('not-sent')
      let told = false
      // Some platforms call fail twice, or fail and then complete.
      const say = (fate: SendFate) => {
        if (told) return
        told = true
        done(fate)
      }
      const failed = () => say(quirks.failedSendMayLeave && quirks.failedSendMayLeave() ? 'unknown' : 'not-sent')
      if (!quietly(() => task!.send({ data: text, success: () => say('accepted'), fail: failed }))) failed()
    },
    close(code, reason) {
      muted = true
      if (!end()) return
      closed = closeArguments(code, reason)
      shut()
    },
  }
}

/** What a platform lets an app close with: 1000 or 3000–4999, and at most 123 bytes of reason. */
function closeArguments(code: number, reason: string): CloseArguments {
  const allowed = code >= 3000 && code <= 4999
  return { code: allowed ? code : 1000, reason: reason.slice(0, 41), success: nothing, fail: nothing }
}

/** A sentence out of whatever a platform calls an error. */
function describe(error: any): string {
  const text = error && (error.errMsg || error.errorMessage || error.message || error.reason || error.data || error)
  return typeof text === 'string' ? text : 'unknown error'
}

/** Runs a platform call that may throw or return a rejecting Promise. False if it threw. */
export function quietly(call: () => unknown): boolean {
  try {
    const result = call()
    if (isThenable(result)) result.then(nothing, nothing)
    return true
  } catch (_) {
    return false
  }
}

export function nothing(): void {}

export function isThenable(value: any): value is PromiseLike<unknown> {
  return !!value && typeof value.then === 'function'
}

function isTask(value: any): value is SocketTask {
  return !!value && typeof value.onMessage === 'function' && typeof value.send === 'function'
}
