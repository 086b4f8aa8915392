// Where the server and the application's backend are. Decided at run time, so that one build serves every
// environment: on H5 from the query (?server=ws://…&api=http://…), elsewhere from storage, else the demo's ports. A page
// that a backend has served asks that backend.

let api = 'http://127.0.0.1:5180'
// #ifdef H5
api = location.origin
// #endif
const DEFAULTS = { server: 'ws://127.0.0.1:8080', api }
const STORAGE_KEY = 'heartline-demo-settings'

/** `{ server, api }`: what the query says, else what was saved, else where this page comes from. */
export function loadSettings() {
  return { ...DEFAULTS, ...(uni.getStorageSync(STORAGE_KEY) || {}), ...fromQuery() }
}

/** Keeps the two addresses for the next start. */
export function saveSettings({ server, api }) {
  uni.setStorageSync(STORAGE_KEY, { server, api })
}

// The query stands before the hash (…/?server=…#/) or behind it (…/#/?server=…). Mini-programs have none.
function fromQuery() {
  const found = {}
  if (typeof location === 'undefined') return found
  const text = `${location.search.slice(1)}&${location.hash.split('?')[1] || ''}`
  for (const pair of text.split('&')) {
    const [name, value] = pair.split('=')
    if ((name === 'server' || name === 'api') && value) found[name] = decodeURIComponent(value)
  }
  return found
}
