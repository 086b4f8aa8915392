const { defineConfig } = require('vite')
const uni = require('@dcloudio/vite-plugin-uni').default

// On H5 the JavaScript twin of the wasm is a chunk of its own, fetched only where it is needed. uni-app names the
// chunks of packages `..-node_modules-…`, and rollup then takes that name for a path and writes an import that no
// browser resolves. So the dots go.
const namePackageChunks = {
  name: 'name-package-chunks',
  outputOptions(options) {
    const named = options.chunkFileNames
    if (typeof named !== 'function') return options
    return { ...options, chunkFileNames: (chunk) => named(chunk).replace('..-node_modules-', 'node_modules-') }
  },
}

module.exports = defineConfig({
  plugins: [uni(), namePackageChunks],
  // Only for `"heartline": "file:../../js-shim"`, which npm installs as a symbolic link: without this, vite would
  // follow the link out of this project and look for `vue` beside the link's target.
  resolve: { preserveSymlinks: true },
})
