// Who is logged in, as the backend said at login: `{ user_id, socket_token }`.

const STORAGE_KEY = 'user'

export default {
  getUser() {
    return uni.getStorageSync(STORAGE_KEY) || null
  },
  setUser(user) {
    uni.setStorageSync(STORAGE_KEY, user)
  },
  clear() {
    uni.removeStorageSync(STORAGE_KEY)
  },
}
