/**
 * What an app may give. A mistake of the app's is thrown at it at once, as a TypeError that names the argument, and changes
 * nothing: further in it would count as a failure of the core.
 */

export const FUNCTION = 'function'
export const OBJECT = 'object'
export const TEXT = 'string'
/** Milliseconds and counts, as far as the core's boundary takes them. */
export const AMOUNT = 'number from 0 to 2147483647'

/** Throws unless `value` is of one of the types that `kinds` names, and no empty text. `optional`: it may be left out. */
export function must(name: string, value: any, kinds: string, optional?: boolean): void {
  const ok = value === undefined || value === null ? optional : value !== '' && kinds.indexOf(typeof value) >= 0
  if (!ok || (typeof value === 'number' && !(value >= 0 && value <= 0x7fffffff))) {
    throw new TypeError(`heartline: ${name}: ${kinds} expected`)
  }
}

/** An object whose named members are each of those types, or left out. */
export function mustBeAll(options: any, kinds: { [name: string]: string }): void {
  must('options', options, OBJECT)
  for (const name in kinds) must(name, options[name], kinds[name], true)
}

/** The URL itself is not told: it may hold a secret. */
export function mustBeUrl(url: unknown): void {
  must('url', /^wss?:\/\/./i.test(url as string) && url, 'string that begins with wss:// or ws://')
}
