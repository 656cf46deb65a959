// Plays the public suite for HTTP caches against cistern and holds the answers against the record.
//
//   node run.mjs --home DIR --work DIR --binary FILE --profile rfc|safe [--record] [--only ID]
//
// `--home` holds the suite's node_modules, `--work` takes logs. Ends with a line that counts and
// with code 0 only if every test answers as recorded and every one that is not passed is explained.

import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

import { compare, differing, score, unexplained } from './ledger.mjs'
import { killAll, startOrigin, startProxy } from './servers.mjs'
import { load } from './suite.mjs'

// Most of a test's time is the suite's pause of three seconds, so many can wait together; more than
// this and two cores are late for the tests that count seconds.
const TOGETHER = 32
// A difference is believed when the test, played apart from the others, shows it again this often.
const SECOND_LOOKS = 2
// So many differences are no accident of timing: they are looked at again several at a time.
const ALONE_MAX = 8

const HERE = path.dirname(fileURLToPath(import.meta.url))

const { values: options } = parseArgs({
  options: {
    home: { type: 'string' },
    work: { type: 'string' },
    binary: { type: 'string' },
    profile: { type: 'string' },
    record: { type: 'boolean', default: false },
    only: { type: 'string' }
  }
})

for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(name, () => {
    killAll()
    process.exit(1)
  })
}

try {
  process.exitCode = await main()
} catch (error) {
  console.log(`FAILED: ${error.message}`)
  console.log('outcome: 0 passed, 1 failed')
  process.exitCode = 1
} finally {
  killAll()
}

async function main () {
  const { profile } = options
  const suite = await load(path.resolve(options.home))
  const workDir = path.resolve(options.work)
  fs.mkdirSync(workDir, { recursive: true })
  const origin = await startOrigin(suite.root, workDir)
  const proxy = await startProxy({
    binary: path.resolve(options.binary), profile, originPort: origin.port, workDir
  })
  if (options.only) {
    const code = await playOne(suite, proxy)
    await proxy.stop()
    await origin.stop()
    return code
  }
  const file = path.join(HERE, `results.${profile}.json`)
  const record = fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : null
  const all = suite.tests.map(test => test.id)
  console.log(`http-cache-tests ${suite.version}, profile ${profile}: ${all.length} tests apply ` +
    'to a reverse proxy (those for browsers only are left out)')
  await suite.play(proxy.base, all, TOGETHER, counter(all.length))
  await lookAgain(suite, proxy.base, record?.results)
  if (!proxy.alive()) throw new Error(`cistern died; see ${workDir}/cistern.log`)
  await proxy.stop()
  await origin.stop()
  return options.record ? write(file, suite, profile) : judge(file, suite, record, profile)
}

// One test, with everything that was sent and received, to find out why it fails.
async function playOne (suite, proxy) {
  const test = suite.tests.find(one => one.id === options.only)
  if (!test) throw new Error(`the suite has no test ${options.only} for a reverse proxy`)
  test.dump = true
  await suite.play(proxy.base, [test.id], 1)
  const word = suite.player.testResults[test.id] === true ? 'passed' : suite.why(test.id)
  console.log(`${test.id} (${suite.kinds[test.id]}): ${word}`)
  return word === 'passed' ? 0 : 1
}

// Tests count seconds, and a busy machine can miss one: what differs from the record is played
// again apart from the rest before it is believed.
async function lookAgain (suite, base, recorded) {
  if (!recorded) return
  for (let look = 1; look <= SECOND_LOOKS; look++) {
    const ids = differing(compare(recorded, suite.outcomes()))
      .filter(id => id in suite.kinds && recorded[id] !== undefined)
    if (ids.length === 0) return
    const together = ids.length > ALONE_MAX ? ALONE_MAX : 1
    console.log(`${ids.length} differ from the record; look ${look} of ${SECOND_LOOKS}, ` +
      `${together === 1 ? 'one at a time' : `${together} at a time`}: ${ids.join(' ')}`)
    await suite.play(base, ids, together)
    const settled = ids.filter(id => suite.outcomes()[id] === recorded[id])
    if (settled.length > 0) console.log(`  as recorded when played again: ${settled.join(' ')}`)
  }
}

function write (file, suite, profile) {
  const results = sorted(suite.outcomes())
  const record = { suite: `http-cache-tests ${suite.version}`, profile, results }
  fs.writeFileSync(file, JSON.stringify(record, null, 2) + '\n')
  console.log(`recorded in ${path.relative(process.cwd(), file)}`)
  say(results, suite)
  return complain(explain(suite, results, profile), results)
}

function judge (file, suite, record, profile) {
  const seen = sorted(suite.outcomes())
  say(seen, suite)
  const words = []
  if (record === null) {
    words.push(`there is no ${path.basename(file)}: make one with tests/run --record`)
  } else {
    const found = compare(record.results, seen)
    for (const id of found.lost) {
      words.push(`lost: ${id}: ${record.results[id]} -> ${seen[id]} (${suite.why(id)})`)
    }
    for (const id of found.changed) {
      words.push(`changed: ${id}: ${record.results[id]} -> ${seen[id]} (${suite.why(id)})`)
    }
    for (const id of found.missing) {
      words.push(`not in both: ${id}: recorded ${record.results[id]}, seen ${seen[id]}`)
    }
    for (const id of found.won) {
      words.push(`won: ${id}: ${record.results[id]} -> ${seen[id]}; record it: tests/run --record`)
    }
  }
  return complain([...words, ...explain(suite, seen, profile)], seen)
}

function explain (suite, seen, profile) {
  const explained = JSON.parse(fs.readFileSync(path.join(HERE, 'explained.json'), 'utf8'))
  const other = path.join(HERE, 'results.rfc.json')
  const rfc = fs.existsSync(other) ? JSON.parse(fs.readFileSync(other, 'utf8')).results : undefined
  return unexplained({ profile, seen, kinds: suite.kinds, explained, rfc })
    .map(line => `unexplained: ${line} [${suite.why(line.split(/[ :]/)[0])}]`)
}

function complain (words, seen) {
  for (const line of words) console.log(line)
  const all = Object.keys(seen).length
  const failed = Math.min(words.length, all)
  console.log(`outcome: ${all - failed} passed, ${words.length} failed`)
  return words.length === 0 ? 0 : 1
}

function say (seen, suite) {
  for (const [kind, row] of Object.entries(score(seen, suite.kinds))) {
    console.log(`  ${kind}: ${row.won} of ${row.all}`)
  }
}

function sorted (results) {
  return Object.fromEntries(Object.entries(results).sort(([a], [b]) => (a < b ? -1 : 1)))
}

function counter (all) {
  let done = 0
  return () => {
    done += 1
    if (done % 100 === 0) console.log(`  ${done} of ${all} played`)
  }
}
