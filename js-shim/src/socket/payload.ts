/**
 * The shapes in which platforms hand over a message, and the one in which the client takes it:
 * text stays text, bytes become an ArrayBuffer.
 */

/** The text or the bytes of a platform's message event; undefined if there are none. */
export function payload(event: any): string | ArrayBuffer | undefined {
  let data = event && event.data
  let binary = event && event.isBuffer
  // Alipay's task wraps once more, and sends bytes as base64; so does the bridge of the App platform.
  if (data && typeof data === 'object' && !isBinary(data)) {
    const bridged = data['@type'] === 'binary'
    binary = bridged || data.isBuffer
    data = bridged ? data.base64 : data.data
  }
  if (typeof data === 'string') return binary ? decodeBase64(data) : data
  if (ArrayBuffer.isView(data)) return data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength) as ArrayBuffer
  return data && isBinary(data) ? data : undefined
}

/** A buffer or a view of one; also of another realm, which `instanceof` would miss. */
function isBinary(value: any): boolean {
  return value.byteLength >= 0
}

/** Base64 to bytes: `atob` is missing in mini-programs. Characters outside the alphabet are skipped. */
function decodeBase64(text: string): ArrayBuffer {
  const bytes: number[] = []
  let bits = 0
  let held = 0
  text.replace(/[A-Z\d+/]/gi, (char) => {
    const code = char.charCodeAt(0)
    held = (held << 6) | (code > 96 ? code - 71 : code > 64 ? code - 65 : code > 47 ? code + 4 : code === 43 ? 62 : 63)
    bits += 6
    if (bits >= 8) bytes.push((held >> (bits -= 8)) & 255)
    return ''
  })
  return new Uint8Array(bytes).buffer
}
