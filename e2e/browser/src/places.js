// Where things are, and clear words when they are not.

import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import path from 'node:path'

export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
export const ARTIFACTS = fileURLToPath(new URL('../artifacts/', import.meta.url))
export const UNIAPP = path.join(ROOT, 'examples/uniapp')
export const LARAVEL = path.join(ROOT, 'examples/laravel')

/** Where the four builds lie. */
export const BUILDS = {
  h5: path.join(UNIAPP, 'dist/build/h5'),
  mp: path.join(UNIAPP, 'dist/build/mp-weixin'),
  classicH5: path.join(ROOT, 'examples/uniapp-classic/dist/build/h5'),
  classicMp: path.join(ROOT, 'examples/uniapp-classic/dist/build/mp-weixin'),
}

/** The server binary under test. */
export function serverBinary() {
  const binary = process.env.HEARTLINE_SERVER_BIN
  if (!binary) {
    throw new Error(
      'HEARTLINE_SERVER_BIN is not set. Build the server (cargo build --release -p heartline-server) and set it to the ' +
        "binary's path, or run everything through cargo xtask test.",
    )
  }
  if (!existsSync(binary)) throw new Error(`HEARTLINE_SERVER_BIN names ${binary}, which does not exist`)
  return path.resolve(binary)
}

/** The example that listens with the native client. */
export function listenerBinary() {
  const binary = process.env.HEARTLINE_LISTENER_BIN
  if (!binary || !existsSync(binary)) {
    throw new Error('HEARTLINE_LISTENER_BIN must name the listener: cargo build -p heartline-bot --bin heartline-listener, or run cargo xtask test')
  }
  return path.resolve(binary)
}

/** Chromium: CHROMIUM_BIN, or where the distributions put it. */
export function chromiumBinary() {
  const places = [process.env.CHROMIUM_BIN, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
  const found = places.find((place) => place && existsSync(place))
  if (!found) throw new Error('Chromium is missing: apt-get install chromium, or set CHROMIUM_BIN to a browser of its kind')
  return found
}
