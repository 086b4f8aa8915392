// The application's own backend, over plain HTTP: tokens, the list of rooms, and saying something in a room.
// A mini-program never speaks to the push endpoint itself: the backend decides who may push what to whom.

import { loadSettings } from './settings'

/** One call. Resolves with the decoded body; rejects with an Error whose text can be shown. */
export function call(method, path, data, header) {
  return new Promise((resolve, reject) => {
    uni.request({
      url: loadSettings().api + path,
      method,
      data,
      header,
      timeout: 8000,
      success: ({ statusCode, data: body }) =>
        statusCode === 200 ? resolve(body) : reject(new BackendError(`后端返回 ${statusCode}`, statusCode)),
      fail: () => reject(new BackendError('后端连接失败，请检查地址', 0)),
    })
  })
}

/** The rooms of `user`. A backend without such a list (404) leaves the demo's own three. */
export async function fetchRooms(user) {
  try {
    return await call('GET', `/api/list?u=${encodeURIComponent(user)}`)
  } catch (error) {
    if (error.status === 404) return DEMO_ROOMS
    throw error
  }
}

/** Says `text` in a room: the backend pushes it to every member, the speaker's own devices included. */
export function say(room, text, from, to) {
  const form = { event: `chat${room}`, type: 'app', to: to.join(','), msg: JSON.stringify({ from, text }) }
  const body = Object.keys(form).map((name) => `${name}=${encodeURIComponent(form[name])}`).join('&')
  return call('POST', '/api/push', body, { 'content-type': 'application/x-www-form-urlencoded' })
}

class BackendError extends Error {
  constructor(text, status) {
    super(text)
    this.status = status
  }
}

const DEMO_ROOMS = [
  { id: '1', title: '在线客服', last: '有什么可以帮您？' },
  { id: '2', title: '配送小组', last: '骑手已接单' },
  { id: '3', title: '产品讨论', last: '周五发版' },
]
