// The public suite as a library: which of its tests apply to a reverse proxy, how they are played,
// and what their answers are called.

import { createRequire } from 'node:module'
import http from 'node:http'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

// An answer that takes longer than this is a failure of the proxy, not of the suite's pauses.
const REQUEST_MS_MAX = 30_000

// The suite's own marks, in words that can be read in a file.
const WORDS = {
  '✅': 'pass',
  '⛔️': 'fail',
  '⚠️': 'optional-fail',
  Y: 'yes',
  N: 'no',
  '🔹': 'setup-failed',
  '⁉️': 'harness-failed',
  '⚪️': 'dependency-failed',
  '↻': 'retried',
  '-': 'untested'
}

// Loads the suite from the folder that holds its node_modules.
export async function load (home) {
  const root = path.join(home, 'node_modules', 'http-cache-tests')
  const get = file => import(pathToFileURL(path.join(root, file)).href)
  const groups = [...(await get('tests/index.mjs')).default]
  // The suite keeps this group apart because it concerns proxies and CDNs only.
  groups.push((await get('tests/surrogate-control.mjs')).default)
  const require = createRequire(path.join(root, 'package.json'))
  const fetch = (await import(pathToFileURL(require.resolve('node-fetch')).href)).default
  const { version } = require('./package.json')
  return new Suite({
    root,
    version,
    groups,
    fetch,
    config: await get('client/config.mjs'),
    player: await get('client/test.mjs'),
    display: await get('lib/display.mjs')
  })
}

class Suite {
  constructor (parts) {
    Object.assign(this, parts)
    const all = this.groups.flatMap(group => group.tests)
    // `browser_only` needs a cache inside the client; there is none here. `browser_skip` tests are
    // the ones that only a shared cache can be asked, so they all apply.
    this.tests = all.filter(test => test.browser_only !== true)
    this.kinds = Object.fromEntries(this.tests.map(test => [test.id, test.kind ?? 'required']))
  }

  // Plays the tests named by `ids` against `base`, at most `together` at a time, and leaves their
  // raw answers in the suite's own table; `onEach` hears of every finished one.
  async play (base, ids, together, onEach = () => {}) {
    const agent = new http.Agent({ keepAlive: false })
    this.config.setFetch((url, init) =>
      this.fetch(url, { ...init, agent, timeout: REQUEST_MS_MAX }))
    this.config.setUseBrowserCache(false)
    this.config.setBaseUrl(base)
    const waiting = this.tests.filter(test => ids.includes(test.id))
    const worker = async () => {
      for (let test = waiting.shift(); test !== undefined; test = waiting.shift()) {
        delete this.player.testResults[test.id]
        // The suite writes into a test while it plays it; a copy can be played again.
        await this.player.makeCacheTest(JSON.parse(JSON.stringify(test)))
        onEach(test.id)
      }
    }
    await Promise.all(Array.from({ length: together }, worker))
    agent.destroy()
  }

  // { id: word } of everything played so far, dependencies counted as the suite counts them.
  outcomes () {
    const answers = this.player.testResults
    return Object.fromEntries(this.tests.map(({ id }) => {
      const mark = this.display.determineTestResult(this.groups, id, answers)[2]
      return [id, WORDS[mark] ?? mark]
    }))
  }

  // Why a test was not passed, in the suite's words.
  why (id) {
    const answer = this.player.testResults[id]
    return Array.isArray(answer) ? answer.join(': ') : 'see the tests it depends on'
  }
}
