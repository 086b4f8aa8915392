/** What this room offers the others. */
export { HeartlineClient } from './client'
export { HeartlineError, type ErrorCode } from './error'
export type {
  AbortSignalLike,
  ClientOptions,
  ClientState,
  CloseReason,
  Credentials,
  Listener,
  News,
  RequestOptions,
} from './options'
