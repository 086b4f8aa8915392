/**
 * The shapes in which platforms hand over a message, and the one in which the client takes it:
 * text stays text, bytes become an ArrayBuffer.
 */

/** The text or the bytes of a platform's message event; undefined if there are none. */
export function payload(event: unknown): string | ArrayBuffer | undefined {
  const res = event as { data?: any; isBuffer?: boolean } | undefined
  let data = res ? res.data : undefined
  let binary = !!(res && res.isBuffer)
  // Alipay's task wraps once more, and sends bytes as base64; so does the bridge of the App platform.
  if (data && typeof data === 'object' && !isBuffer(data) && !ArrayBuffer.isView(data)) {
    binary = !!data.isBuffer || data['@type'] === 'binary'
    data = data['@type'] === 'binary' ? data.base64 : data.data
  }
  if (typeof data === 'string') return binary ? decodeBase64(data) : data
  if (data && ArrayBuffer.isView(data)) {
    return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer
  }
  return isBuffer(data) ? data : undefined
}

/** Also true for buffers of another realm, which `instanceof` would miss. */
function isBuffer(value: unknown): value is ArrayBuffer {
  return Object.prototype.toString.call(value) === '[object ArrayBuffer]'
}

/** Base64 to bytes: `atob` is missing in mini-programs. Characters outside the alphabet are skipped. */
export function decodeBase64(text: string): ArrayBuffer {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
  const bytes = new Uint8Array((text.length * 3) >> 2)
  let length = 0
  let bits = 0
  let held = 0
  for (let i = 0; i < text.length; i++) {
    const value = alphabet.indexOf(text.charAt(i))
    if (value < 0) continue
    held = (held << 6) | value
    bits += 6
    if (bits >= 8) {
      bits -= 8
      bytes[length++] = (held >> bits) & 255
    }
  }
  return bytes.buffer.slice(0, length)
}
