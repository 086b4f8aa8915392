/** The WebAssembly of mini-programs: it takes the path of a file in the package, and nothing else. */
import type { Imports } from './engine'

interface PathOnly {
  instantiate(path: string, imports: Imports): Promise<unknown>
}

declare const WXWebAssembly: PathOnly | undefined
declare const TTWebAssembly: PathOnly | undefined
declare const MYWebAssembly: PathOnly | undefined

/** The platform's own WebAssembly and its name, if it has one. Free identifiers, so that nothing global is needed. */
export function miniWebAssembly(): { name: string; api: PathOnly } | undefined {
  if (typeof WXWebAssembly !== 'undefined' && WXWebAssembly) return { name: 'wx', api: WXWebAssembly }
  if (typeof TTWebAssembly !== 'undefined' && TTWebAssembly) return { name: 'tt', api: TTWebAssembly }
  if (typeof MYWebAssembly !== 'undefined' && MYWebAssembly) return { name: 'my', api: MYWebAssembly }
  return undefined
}
