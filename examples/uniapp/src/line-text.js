// The words for each phase of the line, and their colour.

/** `{ text, tone }` for a connection state at the time `now`. */
export function describe(state, now) {
  switch (state.phase) {
    case 'idle':
      return { text: '未登录，未连接', tone: 'idle' }
    case 'connecting':
      return { text: '正在连接…', tone: 'busy' }
    case 'open':
      return { text: '已连接，等待登录', tone: 'busy' }
    case 'loggingIn':
      return { text: '已连接，正在登录…', tone: 'busy' }
    case 'ready':
      return { text: '已上线', tone: 'good' }
    case 'waiting':
      return { text: waiting(state, now), tone: 'bad' }
    case 'parked':
      return { text: '后台暂停，返回后立即恢复', tone: 'idle' }
    case 'closed':
      return { text: '连接已关闭', tone: 'bad' }
    default:
      return { text: `未知状态 ${state.phase}`, tone: 'idle' }
  }
}

function waiting({ attempt, until, reason }, now) {
  if (reason === 'network') return '网络不可用，恢复后立即重连'
  const seconds = until ? Math.max(0, Math.ceil((until - now) / 1000)) : 0
  return `连接已断开，${seconds} 秒后第 ${attempt} 次重连`
}
