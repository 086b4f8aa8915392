const { defineConfig } = require('vite')
const uni = require('@dcloudio/vite-plugin-uni').default
// On H5 the JavaScript build of the core is a chunk of its own, which uni-app would give a name that no browser finds.
const { heartline } = require('heartline/vite')

module.exports = defineConfig({
  plugins: [uni(), heartline()],
  // Only for `"heartline": "file:../../js-shim"`, which npm installs as a symbolic link: without this, vite would
  // follow the link out of this project and look for `vue` beside the link's target.
  resolve: { preserveSymlinks: true },
})
