/** The standard WebAssembly: takes bytes, given or fetched. */
import type { Bytes, Imports } from './engine'

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

/** Every browser with WebAssembly has fetch. What is missing throws, and the JavaScript build is used. */
export function instantiateBytes(source: Bytes, imports: Imports): Promise<unknown> {
  if (typeof WebAssembly === 'undefined') throw new Error('no WebAssembly here')
  const bytes = typeof source === 'string' ? fetch(source).then(bytesOf) : Promise.resolve(source)
  return bytes.then((found) => WebAssembly!.instantiate(found, imports))
}

function bytesOf(response: Response): Promise<ArrayBuffer> {
  if (!response.ok) throw new Error(`status ${response.status}`)
  return response.arrayBuffer()
}
