/**
 * `heartline/vite`: for the `vite.config.js` of a uni-app project.
 *
 * On H5 the JavaScript build of the core is a chunk of its own. uni-app names the chunks of packages `..-node_modules-…`, rollup
 * takes such a name for a path, and writes an import that no browser resolves. Here the dots go.
 *
 * ```js
 * import uni from '@dcloudio/vite-plugin-uni'
 * import heartline from 'heartline/vite'
 * export default { plugins: [uni(), heartline()] }
 * ```
 */

/** As much of rollup's options as is looked at. */
interface OutputOptions {
  chunkFileNames?: unknown
}

/** A plugin of vite or rollup. */
export interface NamesChunks {
  name: string
  outputOptions(options: any): any
}

/** Names the chunks of packages so that browsers find them. */
export function heartline(): NamesChunks {
  return {
    name: 'heartline',
    outputOptions(options: OutputOptions) {
      const named = options.chunkFileNames
      if (typeof named !== 'function') return options
      return Object.assign({}, options, {
        chunkFileNames: (chunk: unknown) => String(named(chunk)).replace(/(^|\/)\.\.-/, '$1'),
      })
    },
  }
}

export default heartline
