/**
 * The wire in JavaScript: frames out as text, frames in by `JSON.parse`. The golden vectors hold this file and the
 * decoder in Rust together.
 */

/** Who takes the frames, by kind. */
export interface FrameTaker {
  push(epoch: number, event: string, body: any): void
  reply(epoch: number, uuid: unknown, ok: boolean, body: any): void
  /** `raw`: the uuid as it was written. */
  ping(epoch: number, raw: string): void
  /** What the server says of a stream. */
  notice(epoch: number, body: any): void
  /** What is not a frame of ours, and even no frame at all. */
  other(epoch: number): void
}

/**
 * Hands one frame of this epoch to its taker, and never throws by itself. No frame object in between, and the byte-order
 * mark is looked for only where the parser stumbles: this is the path of every message.
 */
export function decode(epoch: number, text: string, to: FrameTaker): void {
  let body: any
  try {
    body = JSON.parse(text)
  } catch (_) {
    body = parseMarked(text)
  }
  // A text, a number or a list has none of these members, and so is none of ours.
  const type = body && body.type
  if (type === 'respon') {
    const { event, data } = body
    to.reply(epoch, event, !!data && !Array.isArray(data) && data.error === 0, data)
  } else if (type === 'ping') {
    if ('uuid' in body) to.ping(epoch, spelling(text, body.uuid))
    else to.other(epoch)
  } else if (type === '$hl') to.notice(epoch, body)
  else if (body && typeof body.event === 'string') to.push(epoch, body.event, body)
  else to.other(epoch)
}

/** Text that begins with a byte-order mark, parsed without it; undefined, which no JSON says, for what is none. */
function parseMarked(text: string): any {
  try {
    return text.charCodeAt(0) === 0xfeff ? JSON.parse(text.slice(1)) : undefined
  } catch (_) {
    return undefined
  }
}

/** The uuid as it was written: a number keeps its digits, which `JSON.parse` loses beyond 2^53 and in 1.10. */
function spelling(text: string, uuid: unknown): string {
  const found = typeof uuid === 'number' && /"uuid"\s*:\s*(-?\d[\d.eE+-]*)/.exec(text)
  return found && Number(found[1]) === uuid ? found[1] : JSON.stringify(uuid)
}

/** A request as text. `data` is JSON already; undefined leaves it out. */
export function encode(event: string, data: string | undefined, uuid: string): string {
  return `{"event":${JSON.stringify(event)},${data === undefined ? '' : `"data":${data},`}"uuid":"${uuid}"}`
}

/** The answer to a server ping, in the ping's own spelling. */
export function encodePong(raw: string): string {
  return `{"event":"response","uuid":${raw}}`
}

/** The advice in a close reason, `retry=MILLISECONDS`, at most an hour; -1 without one. */
export function advice(reason: string | undefined): number {
  const found = reason ? /(?:^|;)\s*retry=(\d+)\s*(?:;|$)/.exec(reason) : null
  return found ? Math.min(Number(found[1]), 3600000) : -1
}
