/**
 * The wire in JavaScript: frames out as text, frames in by `JSON.parse`. The golden vectors hold this file and the
 * decoder in Rust together.
 */

/** A decoded frame. `push` and `reply` carry their payload. */
export type Frame =
  | { kind: 'reply'; uuid: unknown; ok: boolean; body: any }
  | { kind: 'ping'; raw: string }
  | { kind: 'push'; event: string; body: any }
  | { kind: 'other' }

const OTHER: Frame = { kind: 'other' }

/** Never throws: what is not a frame of ours is `other`. A byte-order mark is skipped. */
export function decode(text: string): Frame {
  let body: any
  try {
    body = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text)
  } catch (_) {
    return OTHER
  }
  if (!body || typeof body !== 'object' || Array.isArray(body)) return OTHER
  if (body.type === 'respon') {
    const data = body.data
    return { kind: 'reply', uuid: body.event, ok: !!data && !Array.isArray(data) && data.error === 0, body: data }
  }
  if (body.type === 'ping') return 'uuid' in body ? { kind: 'ping', raw: spelling(text, body.uuid) } : OTHER
  return typeof body.event === 'string' ? { kind: 'push', event: body.event, body } : OTHER
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
