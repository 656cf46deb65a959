// The two processes of a run: the suite's own origin and cistern in front of it. Each is stopped
// by its own process id, also when the run ends early.

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

const START_MS_MAX = 30_000
const STOP_MS_MAX = 15_000

const running = new Set()

// Starts the suite's origin on a free port; resolves to { port, stop }.
export async function startOrigin (root, workDir) {
  const env = {
    ...process.env,
    npm_config_protocol: 'http',
    npm_config_port: '0',
    npm_config_pidfile: path.join(workDir, 'origin.pid')
  }
  const args = ['--no-warnings', path.join(root, 'server', 'server.mjs')]
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const pattern = /^Listening on http:\/\/.*:(\d+)\//m
  const [, port] = await firstLine(child, pattern, path.join(workDir, 'origin.log'), 'the origin')
  return { port: Number(port), stop: () => stop(child, 'SIGTERM') }
}

// Starts the proxy with no rules; resolves to { base, stop }, where `stop` rejects if it does not
// drain and leave with code 0.
export async function startProxy ({ binary, profile, originPort, workDir }) {
  const args = ['run', '--origin', `http://127.0.0.1:${originPort}`, '--listen', '127.0.0.1:0',
    '--admin-listen', 'off', '--profile', profile]
  const env = { ...process.env, CISTERN_DRAIN__DELAY: '0s' }
  const child = spawn(binary, args, { cwd: workDir, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const pattern = /^cistern \S+\s+proxy (\S+)/m
  const log = path.join(workDir, 'cistern.log')
  const [, address] = await firstLine(child, pattern, log, 'cistern')
  return {
    base: `http://${address}`,
    alive: () => child.exitCode === null && child.signalCode === null,
    stop: async () => {
      const { code, signal } = await stop(child, 'SIGTERM')
      if (code !== 0) throw new Error(`cistern left with ${signal ?? code}; its words: ${log}`)
    }
  }
}

// Ends whatever still runs, without asking twice. For ends that nobody planned.
export function killAll () {
  for (const child of running) child.kill('SIGKILL')
}

function firstLine (child, pattern, logFile, name) {
  running.add(child)
  const log = fs.createWriteStream(logFile)
  let text = ''
  return new Promise((resolve, reject) => {
    const late = setTimeout(
      () => reject(new Error(`${name} did not say where it listens; see ${logFile}`)),
      START_MS_MAX)
    const listen = chunk => {
      log.write(chunk)
      if (text === null) return
      text += chunk
      const match = pattern.exec(text)
      if (match === null) return
      text = null
      clearTimeout(late)
      resolve(match)
    }
    child.stdout.on('data', listen)
    child.stderr.on('data', chunk => log.write(chunk))
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      running.delete(child)
      clearTimeout(late)
      reject(new Error(`${name} left with ${signal ?? code} before it was ready; see ${logFile}`))
    })
  })
}

function stop (child, signal) {
  if (child.exitCode !== null || child.signalCode !== null) {
    return Promise.resolve({ code: child.exitCode, signal: child.signalCode })
  }
  return new Promise(resolve => {
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
    child.on('exit', (code, by) => {
      clearTimeout(late)
      resolve({ code, signal: by })
    })
    child.kill(signal)
  })
}
