/** Why a request has no reply. */

/**
 * - `not_sent`: it never left; asking again is safe. `reason` says why.
 * - `sent_unknown`: it was handed to the socket and the line was lost: its fate is unknown.
 * - `refused`: the server answered with an error; `data` is the reply's data.
 * - `timed_out`, `cancelled`: `sent` tells whether it had been handed to a socket.
 */
export type ErrorCode = 'not_sent' | 'sent_unknown' | 'refused' | 'timed_out' | 'cancelled'

export class HeartlineError extends Error {
  constructor(
    readonly code: ErrorCode,
    event: string,
    readonly sent: boolean,
    readonly reason?: string,
    readonly data?: any,
  ) {
    super(`heartline: ${event}: ${code}${reason ? ` (${reason})` : ''}`)
    this.name = 'HeartlineError'
    // Compilers that lower classes to ES5 lose this otherwise.
    Object.setPrototypeOf(this, HeartlineError.prototype)
  }
}
