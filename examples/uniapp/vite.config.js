// uni-app's plugin does everything. The two `resolve` lines are only for `"heartline": "file:../../js-shim"`,
// which npm installs as a symbolic link: without them vite would follow the link out of this project and look
// for `vue` beside the link's target. A project that installs heartline from a registry needs neither.
const { defineConfig } = require('vite')
const uni = require('@dcloudio/vite-plugin-uni').default

module.exports = defineConfig({
  plugins: [uni()],
  resolve: {
    preserveSymlinks: true,
    // The classic example has its sources elsewhere (UNI_INPUT_DIR) and shares this project's packages.
    dedupe: ['heartline', 'vue'],
  },
})
