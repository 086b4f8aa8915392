/** What this room offers the others. */
export { createClient } from './client'
export { HeartlineError } from './error'
export type { ErrorCode } from './error'
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
} from './options'
