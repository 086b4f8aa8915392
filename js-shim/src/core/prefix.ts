/** What makes the uuids of this client unlike those of any other, ever. */
import type { Host } from '../types'

const LENGTH = 20
let made = 0

/**
 * At least 96 bits in lower-case base 36. Where the platform has no random source, those of `Math.random` are mixed
 * with the time and a counter: two clients of one moment still differ.
 */
export function uuidPrefix(host: Host): string {
  const bytes = host.randomBytes && host.randomBytes(LENGTH)
  let prefix = bytes ? '' : (Date.now() + made++).toString(36)
  for (let i = 0; i < LENGTH; i++) prefix += Math.floor(bytes ? bytes[i] % 36 : Math.random() * 36).toString(36)
  return `${prefix}-`
}
