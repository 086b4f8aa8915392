// What has arrived: rooms, their messages, notices and the tab bar's badge. Pages only show it. It is filled by
// `App.vue`, which lives as long as the app: a message for a page that is not open is kept, not lost.

import { reactive } from 'vue'
import { fetchRooms } from './backend'

/** Kept per room and for the notices; the oldest go first. */
const MAX_KEPT = 200

export const inbox = reactive({ rooms: [], messages: {}, notices: [], badge: 0, openRoom: '', refreshedAt: '' })

/** `chat_list`: the list of rooms changed. `msg` is a row to put on top, or anything else to fetch all again. */
export function onListChanged(user, msg) {
  if (msg && typeof msg === 'object' && msg.id !== undefined) return putOnTop(msg)
  return refreshRooms(user)
}

/** Some pushes will never come: too old, or the server began anew. What can be fetched is fetched. */
export function onGap(user, { from, to }) {
  onNotice({ text: to >= from ? `有 ${to - from + 1} 条消息已过期` : '服务器的消息记录已重新开始' })
  return refreshRooms(user)
}

/** Fetches the list of rooms. */
export async function refreshRooms(user) {
  const rooms = await fetchRooms(user)
  inbox.rooms = rooms.map((room) => ({ unread: 0, ...known(room.id), ...room, id: String(room.id) }))
  inbox.refreshedAt = clock()
}

/** `chat<room>`: something was said. `msg` is `{from, text}`, or whatever a backend sends: it is shown as text. */
export function onChat(room, msg) {
  const said = msg && typeof msg === 'object' ? msg : { from: '系统', text: msg }
  const list = inbox.messages[room] || (inbox.messages[room] = [])
  list.push({ key: nextKey(), from: String(said.from || '系统'), text: text(said.text, said), at: clock() })
  if (list.length > MAX_KEPT) list.shift()
  const row = known(room) || { id: room, title: `房间 ${room}`, unread: 0 }
  const unread = inbox.openRoom === room ? 0 : (row.unread || 0) + 1
  putOnTop({ ...row, last: text(said.text, said), unread })
}

/** `user_tabbar`: a number sets the badge; a text, or `{text, badge}`, is a notice as well. */
export function onNotice(msg) {
  if (typeof msg === 'number') {
    inbox.badge = msg
  } else {
    const notice = msg && typeof msg === 'object' ? msg : { text: msg }
    inbox.notices.unshift({ key: nextKey(), text: text(notice.text, notice), at: clock() })
    if (inbox.notices.length > MAX_KEPT) inbox.notices.pop()
    inbox.badge = typeof notice.badge === 'number' ? notice.badge : inbox.badge + 1
  }
  paintBadge()
}

/** The notices were seen. */
export function clearBadge() {
  inbox.badge = 0
  paintBadge()
}

/** Paints the badge. Only possible on a page of the tab bar: those call it again when they are shown. */
export function paintBadge() {
  const ignore = () => {}
  if (inbox.badge > 0) {
    uni.setTabBarBadge({ index: 1, text: inbox.badge > 99 ? '99+' : String(inbox.badge), fail: ignore })
  } else {
    uni.removeTabBarBadge({ index: 1, fail: ignore })
  }
}

/** A room was opened (or left: an empty id). */
export function openRoom(room) {
  inbox.openRoom = room
  const row = known(room)
  if (row) row.unread = 0
}

/** Another user must not see any of it. */
export function emptyInbox() {
  Object.assign(inbox, { rooms: [], messages: {}, notices: [], openRoom: '', refreshedAt: '' })
  clearBadge()
}

function putOnTop(row) {
  const id = String(row.id)
  const merged = { unread: 0, ...known(id), ...row, id }
  inbox.rooms = [merged, ...inbox.rooms.filter((room) => room.id !== id)].slice(0, MAX_KEPT)
  inbox.refreshedAt = clock()
}

function known(id) {
  return inbox.rooms.find((room) => room.id === String(id))
}

function text(value, whole) {
  if (typeof value === 'string') return value
  return value === undefined ? JSON.stringify(whole) : String(value)
}

function clock() {
  const now = new Date()
  const two = (number) => (number < 10 ? `0${number}` : `${number}`)
  return `${two(now.getHours())}:${two(now.getMinutes())}:${two(now.getSeconds())}`
}

let lastKey = 0
function nextKey() {
  lastKey += 1
  return lastKey
}
