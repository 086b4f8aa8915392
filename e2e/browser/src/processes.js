// Child processes that end with the test, whatever happens to the test.

import { spawn, execFile } from 'node:child_process'

const running = new Set()
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')))
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))

/** Starts a process that is killed at the latest when this one exits. */
export function start(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options })
  running.add(child)
  child.once('exit', () => running.delete(child))
  return child
}

/** Runs a process to its end; rejects with what it printed when it fails. `hint` says what to install. */
export function run(command, args, { hint = '', ...options } = {}) {
  return new Promise((resolve, reject) => {
    execFile(command, args, { timeout: 120_000, maxBuffer: 16 << 20, ...options }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout)
      if (error.code === 'ENOENT') return reject(new Error(`${command} is missing. ${hint}`))
      reject(new Error(`${command} ${args.join(' ')} failed (${error.code ?? error.signal})\n${stdout}${stderr}`))
    })
  })
}
