// The one file that changed. It held the classic class and imported the project's jwt; now the class comes from
// heartline, and is told the same jwt. No page, and no line of App.vue, differs from before.
import Classic from 'heartline/compat'
import jwt from './jwt.js'

// Optional: without it the class runs its core as JavaScript, which costs nothing but a little speed.
// #ifdef H5
const wasm = './static/heartline.wasm'
// #endif
// #ifndef H5
const wasm = '/static/heartline.wasm'
// #endif

export default class UniSocketPromise extends Classic {
  constructor(options) {
    super({ jwt, client: { wasm }, ...options })
  }
}
