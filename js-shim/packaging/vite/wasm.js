import url from 'heartline/heartline.wasm?url'
export { url }
