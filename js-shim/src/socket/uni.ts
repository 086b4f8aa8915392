/** What is peculiar to `uni.connectSocket`: the App platform underneath. */
import type { TaskQuirks } from './task'

declare const plus: unknown
declare const wx: unknown
declare const my: unknown
declare const tt: unknown
declare const qq: unknown
declare const document: unknown

/** When the last dial began: on the App platform a socket's id is this very number. */
let lastDialAt = 0

export const uniQuirks: TaskQuirks = {
  /** Two dials in one millisecond would share their id, and their events (App). */
  mustWait() {
    const now = Date.now()
    const twin = isApp() && now === lastDialAt
    lastDialAt = now
    return twin
  },
  /** Yes on App, and on any platform that we do not know. */
  failedSendMayLeave: () =>
    isApp() ||
    (typeof wx === 'undefined' &&
      typeof my === 'undefined' &&
      typeof tt === 'undefined' &&
      typeof qq === 'undefined' &&
      typeof document === 'undefined'),
}

function isApp(): boolean {
  return typeof plus !== 'undefined'
}
