/** UTF-8 by way of percent escapes: mini-programs have no TextEncoder, and nothing global is touched. */

/** The bytes of a text. A lone surrogate becomes U+FFFD, as in every browser. */
export function encodeUtf8(text: string): Uint8Array {
  const whole = text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (unit) => (unit[1] ? unit : '\ufffd'))
  const bytes: number[] = []
  encodeURIComponent(whole).replace(/%(..)|./g, (char, hex) => String(bytes.push(hex ? parseInt(hex, 16) : char.charCodeAt(0))))
  return new Uint8Array(bytes)
}

/** The text of some bytes. Throws a URIError where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  let escaped = ''
  for (const byte of bytes) escaped += `%${(byte + 256).toString(16).slice(1)}`
  return decodeURIComponent(escaped)
}
