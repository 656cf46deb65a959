// The ledger must be able to fail a run: each complaint it can make is provoked here once.

import assert from 'node:assert/strict'
import test from 'node:test'

import { compare, differing, score, unexplained } from './ledger.mjs'

const kinds = { a: 'required', b: 'optimal', c: 'check' }

test('a lost, a won, a changed and a missing test are told apart', () => {
  const recorded = { a: 'pass', b: 'optional-fail', c: 'yes', d: 'fail', e: 'pass' }
  const seen = { a: 'fail', b: 'pass', c: 'yes', d: 'setup-failed', f: 'pass' }
  const found = compare(recorded, seen)
  assert.deepEqual(found, { lost: ['a'], won: ['b'], changed: ['d'], missing: ['e', 'f'] })
  assert.deepEqual(differing(found), ['a', 'e', 'f', 'd', 'b'])
})

test('a check that turns from yes to no is lost', () => {
  assert.deepEqual(compare({ c: 'yes' }, { c: 'no' }).lost, ['c'])
})

test('the same answers differ in nothing', () => {
  assert.deepEqual(differing(compare({ a: 'pass' }, { a: 'pass' })), [])
})

test('under rfc every required and optimal test that fails needs a reason', () => {
  const seen = { a: 'fail', b: 'optional-fail', c: 'no' }
  const words = unexplained({ profile: 'rfc', seen, kinds, explained: {} })
  assert.equal(words.length, 2)
  const reason = 'the suite expects what RFC 9111 forbids'
  const explained = { never: { a: reason, b: 'as above, 4.2.4' } }
  const rest = unexplained({ profile: 'rfc', seen, kinds, explained })
  assert.deepEqual(rest, ['b: the reason says too little'])
})

test('under rfc a matter of the safe profile explains nothing', () => {
  const explained = { safe: { a: 'heuristics' } }
  assert.equal(unexplained({ profile: 'rfc', seen: { a: 'fail' }, kinds, explained }).length, 1)
})

test('under safe a lost test needs a matter of the profile table', () => {
  const run = { profile: 'safe', seen: { a: 'fail' }, kinds, rfc: { a: 'pass' } }
  assert.match(unexplained({ ...run, explained: {} })[0], /must name the matter/)
  assert.match(unexplained({ ...run, explained: { safe: { a: 'mood' } } })[0], /no line/)
  assert.deepEqual(unexplained({ ...run, explained: { safe: { a: 'set-cookie' } } }), [])
})

test('a reason that is not needed any more must go', () => {
  const never = { a: 'the suite expects what RFC 9111 forbids' }
  const rfc = unexplained({ profile: 'rfc', seen: { a: 'pass' }, kinds, explained: { never } })
  assert.match(rfc[0], /must go/)
  const explained = { safe: { a: 'cookies', z: 'cookies' } }
  const safe = unexplained({ profile: 'safe', seen: { a: 'pass' }, kinds, explained })
  assert.equal(safe.length, 2)
})

test('the score counts by kind', () => {
  const table = score({ a: 'pass', b: 'optional-fail', c: 'yes' }, kinds)
  assert.deepEqual(table, {
    required: { won: 1, all: 1 }, optimal: { won: 0, all: 1 }, check: { won: 1, all: 1 }
  })
})
