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
declare const fetch: ((url: string) => Promise<Response>) | undefined
declare const XMLHttpRequest: (new () => any) | undefined

export function hasWebAssembly(): boolean {
  return typeof WebAssembly !== 'undefined' && !!WebAssembly
}

export function instantiateBytes(source: Exclude<Source, false | undefined>, imports: Imports): Promise<unknown> {
  const bytes = typeof source === 'string' ? fetchBytes(source) : Promise.resolve(source)
  return bytes.then((found) => WebAssembly!.instantiate(found, imports))
}

function fetchBytes(url: string): Promise<ArrayBuffer> {
  if (typeof fetch === 'function') {
    return fetch(url).then((response) => {
      if (!response.ok) throw new Error(`${url}: status ${response.status}`)
      return response.arrayBuffer()
    })
  }
  return new Promise((resolve, reject) => {
    if (typeof XMLHttpRequest === 'undefined') throw new Error(`nothing here can fetch ${url}: give the bytes`)
    const request = new XMLHttpRequest()
    request.open('GET', url)
    request.responseType = 'arraybuffer'
    request.onload = () => (request.status < 300 ? resolve(request.response) : reject(new Error(`${url}: status ${request.status}`)))
    request.onerror = () => reject(new Error(`${url}: not reachable`))
    request.send()
  })
}
