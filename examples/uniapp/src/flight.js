// The flight recorder: what the client was told and what it decided. The page "连接" offers it for a bug report; `heartline-server replay`
// lives it again. It holds the names of events, and no message, token or address.

import { recorder } from 'heartline'

export const flight = recorder()
