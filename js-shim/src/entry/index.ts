/** `heartline`: the modern API. */
import { createClient } from '../core/client'
import type { ClientOptions, HeartlineClient } from '../core/options'
import { detectHost } from '../host/detect'
import type { Host } from '../types'

/** What `createHeartline` takes. */
export interface HeartlineOptions extends Pick<ClientOptions, Exclude<keyof ClientOptions, 'host'>> {
  /** The platform; found at run time if it is not given. */
  host?: Host
}

/** A client for the running platform. It does nothing until `start()`. */
export function createHeartline(options: HeartlineOptions): HeartlineClient {
  return createClient(options, detectHost)
}

export { HeartlineError } from '../core/error'
export type { ErrorCode } from '../core/error'
export type {
  AbortSignalLike,
  ClientOptions,
  ClientState,
  CloseReason,
  Credentials,
  Diagnostics,
  HeartlineClient,
  Listener,
  News,
  ReplyData,
  RequestOptions,
} from '../core/options'
export { recorder } from '../core/recorder'
export type { Recorder, RecorderOptions } from '../core/recorder'
export { durable } from '../core/streams'
export type { Durable, DurableOptions } from '../core/streams'
export { detectHost } from '../host/detect'
export { myHost, qqHost, ttHost, uniHost, wxHost } from '../host/mini'
export { webHost } from '../host/web'
export type { ConnectOptions, Host, PositionStorage, SendFate, Socket, SocketEvents } from '../types'
