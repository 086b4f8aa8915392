/** Who is logged in to a classic app: read from `getApp().globalData.isLogin` and the project's `jwt`. */

import { isThenable, nothing } from '../socket/task'

/** The classic project's `jwt` module. */
export interface Jwt {
  getUser(): JwtUser | null | undefined | Promise<JwtUser | null | undefined>
}

export interface JwtUser {
  user_id?: string | number
  socket_token?: string
}

export interface Session {
  /** Somebody is logged in to the app; otherwise no connection is attempted. */
  isLogin: boolean
  user: ReturnType<Jwt['getUser']>
}

// Free identifiers: uni-app's compiler rewrites `getApp`; a classic project may have a global `jwt`.
declare const getApp: () => { globalData?: { isLogin?: unknown; jwt?: Jwt } } | undefined
declare const jwt: Jwt | undefined

/** The present state; never throws, whatever the project's own code does. */
export function readSession(given: Jwt | undefined): Session {
  const globalData = readGlobalData()
  if (!globalData || !globalData.isLogin) return { isLogin: false, user: undefined }
  const source = given || globalData.jwt || (typeof jwt === 'undefined' ? undefined : jwt)
  try {
    const user = source ? source.getUser() : undefined
    // Who only looks whether somebody else is logged in waits for no answer; a login reports the rejection.
    if (isThenable(user)) user.then(undefined, nothing)
    return { isLogin: true, user }
  } catch (_) {
    return { isLogin: true, user: undefined }
  }
}

/** A text that changes exactly when somebody else, or nobody, is logged in. */
export function signatureOf({ isLogin, user }: Session): string {
  const known = user as JwtUser | undefined
  return isLogin ? JSON.stringify([known && known.user_id, known && known.socket_token]) : ''
}

function readGlobalData() {
  try {
    const app = getApp()
    return app && app.globalData
  } catch (_) {
    // Too early in the app's life, or not in uni-app at all.
    return undefined
  }
}
