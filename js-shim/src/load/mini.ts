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
  const named = (name: string, api: PathOnly | undefined) => api && { name, api }
  return (
    named('wx', typeof WXWebAssembly === 'undefined' ? undefined : WXWebAssembly) ||
    named('tt', typeof TTWebAssembly === 'undefined' ? undefined : TTWebAssembly) ||
    named('my', typeof MYWebAssembly === 'undefined' ? undefined : MYWebAssembly)
  )
}
