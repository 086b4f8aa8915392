import { createHeartline } from 'heartline'
export const line = createHeartline({ url: 'wss://test' })
