// The ledger: what the record says against what this run saw, and which answers carry a reason.
// Pure functions; nothing here starts a server or reads a file.

// Outcomes that count as won. Everything else is some way of not passing.
const WON = new Set(['pass', 'yes'])

// The lines of the profile table that may explain a test which `safe` loses and `rfc` wins.
export const MATTERS = {
  'set-cookie': 'answers with Set-Cookie are not stored',
  'client-directives': 'no-cache, no-store, max-age, min-fresh, max-stale and Pragma of clients ' +
    'are ignored',
  heuristics: 'no heuristic freshness',
  'post-answers': 'answers to POST serve no later GET',
  cookies: 'cookies and API-key fields count as credentials'
}

// Differences between a record and a run, both as { id: outcome }. `lost` were won and are not any
// more, `won` the other way round, `changed` moved between outcomes of the same worth, `missing`
// are in one of the two only.
export function compare (recorded, seen) {
  const found = { lost: [], won: [], changed: [], missing: [] }
  for (const id of unite(recorded, seen)) {
    const before = recorded[id]
    const after = seen[id]
    if (before === after) continue
    if (before === undefined || after === undefined) found.missing.push(id)
    else if (WON.has(before) && !WON.has(after)) found.lost.push(id)
    else if (!WON.has(before) && WON.has(after)) found.won.push(id)
    else found.changed.push(id)
  }
  return found
}

// Every id that differs, in the order in which one wants to read about it.
export function differing (found) {
  return [...found.lost, ...found.missing, ...found.changed, ...found.won]
}

// Complaints about tests that are not passed and give no reason, and about reasons that are no
// longer needed. `kinds` is { id: 'required' | 'optimal' | 'check' }; a check has no right answer,
// so it needs no reason. `rfc` is the record of the other profile, used when judging `safe`.
export function unexplained ({ profile, seen, kinds, explained, rfc }) {
  const words = []
  const owed = Object.keys(seen).filter(id => kinds[id] !== 'check' && seen[id] !== 'pass')
  const never = explained.never ?? {}
  const safe = explained.safe ?? {}
  for (const id of owed) {
    const outcome = seen[id]
    if (never[id]) continue
    if (profile === 'rfc') {
      words.push(`${id} (${kinds[id]}): ${outcome}, and explained.json gives no reason`)
    } else if (rfc && rfc[id] === 'pass' && !safe[id]) {
      words.push(`${id} (${kinds[id]}): ${outcome} under safe, pass under rfc; ` +
        'explained.json must name the matter')
    } else if (!safe[id]) {
      words.push(`${id} (${kinds[id]}): ${outcome} under safe without a reason`)
    }
  }
  for (const [id, reason] of Object.entries(never)) {
    if (!(id in kinds)) words.push(`${id}: explained.json names a test the suite does not have`)
    else if (profile === 'rfc' && seen[id] === 'pass') {
      words.push(`${id}: passes, so its entry under "never" must go`)
    }
    if (String(reason).length < 20) words.push(`${id}: the reason says too little`)
  }
  if (profile === 'safe') {
    for (const [id, matter] of Object.entries(safe)) {
      if (!(id in kinds)) words.push(`${id}: explained.json names a test the suite does not have`)
      if (!(matter in MATTERS)) words.push(`${id}: "${matter}" is no line of the profile table`)
      if (seen[id] === 'pass') words.push(`${id}: passes, so its entry under "safe" must go`)
      if (kinds[id] === 'check') words.push(`${id}: a check needs no entry under "safe"`)
    }
  }
  return words
}

// How many of each kind were won, for the line a reader looks at first.
export function score (seen, kinds) {
  const table = {}
  for (const [id, outcome] of Object.entries(seen)) {
    const row = (table[kinds[id]] ??= { won: 0, all: 0 })
    row.all += 1
    if (WON.has(outcome)) row.won += 1
  }
  return table
}

function unite (a, b) {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].sort()
}
