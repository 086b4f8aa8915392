import { webHost } from 'heartline'
export const name = webHost().name
