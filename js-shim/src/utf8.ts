/** UTF-8 of our own: mini-programs have no TextEncoder, and nothing global is touched. */

/** The bytes of a text. A lone surrogate becomes U+FFFD, as in every browser. */
export function encodeUtf8(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3)
  let length = 0
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i)
    if (code < 0x80) {
      bytes[length++] = code
      continue
    }
    if (code >= 0xd800 && code < 0xe000) {
      const low = text.charCodeAt(i + 1)
      if (code < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + low - 0xdc00
        i++
      } else code = 0xfffd
    }
    if (code < 0x800) bytes[length++] = 0xc0 | (code >> 6)
    else {
      if (code < 0x10000) bytes[length++] = 0xe0 | (code >> 12)
      else {
        bytes[length++] = 0xf0 | (code >> 18)
        bytes[length++] = 0x80 | ((code >> 12) & 63)
      }
      bytes[length++] = 0x80 | ((code >> 6) & 63)
    }
    bytes[length++] = 0x80 | (code & 63)
  }
  return bytes.subarray(0, length)
}

/** The text of some bytes. Throws a RangeError where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  let text = ''
  let units: number[] = []
  for (let i = 0; i < bytes.length; ) {
    const first = bytes[i++]
    let code = first
    if (first > 0x7f) {
      const more = first < 0xc2 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : first < 0xf5 ? 3 : 0
      code = first & (0x3f >> more)
      for (let n = 0; n < more; n++) {
        const next = bytes[i++]
        // Past the end this is undefined, which is refused as well.
        if ((next & 0xc0) !== 0x80) throw new RangeError('not UTF-8')
        code = (code << 6) | (next & 0x3f)
      }
      const least = [0x110000, 0x80, 0x800, 0x10000][more]
      if (code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) throw new RangeError('not UTF-8')
    }
    if (code > 0xffff) units.push(0xd7c0 + (code >> 10), 0xdc00 | (code & 0x3ff))
    else units.push(code)
    // In pieces: a call takes only so many arguments.
    if (units.length > 4096) {
      text += String.fromCharCode.apply(null, units)
      units = []
    }
  }
  return text + String.fromCharCode.apply(null, units)
}
