// The same as in ../uniapp, and for the same reason: heartline is a symbolic link here.
const { defineConfig } = require('vite')
const uni = require('@dcloudio/vite-plugin-uni').default

module.exports = defineConfig({
  plugins: [uni()],
  resolve: { preserveSymlinks: true },
})
