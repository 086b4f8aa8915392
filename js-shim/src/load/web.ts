/** The standard WebAssembly: takes bytes, given or fetched. */
import type { Imports, Source } from './engine'

interface Standard {
  instantiate(bytes: ArrayBuffer | Uint8Array, imports: Imports): Promise<unknown>
}

interface Response {
  ok: boolean
  status: number
  arrayBuffer(): Promise<ArrayBuffer>
}

declare const WebAssembly: Standard | undefined
declare const fetch: (url: string) => Promise<Response>

export function hasWebAssembly(): boolean {
  return typeof WebAssembly !== 'undefined' && !!WebAssembly
}

export function instantiateBytes(source: Exclude<Source, false | undefined>, imports: Imports): Promise<unknown> {
  const bytes = typeof source === 'string' ? fetchBytes(source) : Promise.resolve(source)
  return bytes.then((found) => WebAssembly!.instantiate(found, imports))
}

/** Every browser with WebAssembly has fetch. Where it is missing this throws, and the JavaScript build is used. */
function fetchBytes(url: string): Promise<ArrayBuffer> {
  return fetch(url).then((response) => {
    if (!response.ok) throw new Error(`${url}: status ${response.status}`)
    return response.arrayBuffer()
  })
}
