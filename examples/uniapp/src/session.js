// Who is logged in to the app, and the backend's word for it. The role's key never comes near this code:
// the backend computes the token (see examples/laravel) and hands it out to the user whom it has recognised.

import { reactive } from 'vue'
import { call } from './backend'

const STORAGE_KEY = 'heartline-demo-user'

/** `user` is `user:6` while somebody is logged in to the app, else an empty string. */
export const session = reactive({ user: uni.getStorageSync(STORAGE_KEY) || '' })

/** Logs in to the app. A real backend would ask for a wx.login code or a password here. */
export async function logIn(id) {
  const user = `user:${id}`
  await fetchCredentials(user)
  session.user = user
  uni.setStorageSync(STORAGE_KEY, user)
}

/** Logs out of the app. */
export function logOut() {
  session.user = ''
  uni.removeStorageSync(STORAGE_KEY)
}

/** A fresh token for `user`. The client asks before each login, so that a token may expire. */
export function fetchCredentials(user) {
  return call('GET', `/api/token?u=${encodeURIComponent(user)}`)
}
