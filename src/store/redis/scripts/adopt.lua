-- A server that nobody knows becomes the fleet's: a new turn begins, above every number ever seen.
-- What it lost comes back from the memory of the members, who are expected to check in.
-- KEYS head log fences members expect runs   ARGV turn-seen known-lives...
local head, log, fences, members, expect, runs = unpack(KEYS)
if adopted(head, log, fences) then return { 'known' } end
local h = redis.call('HMGET', head, 'turn', 'last', 'base', 'clean', 'fenced')
local now = millis()
local last = h[2] or '0-0'
-- While not all have reported, what the former server lost is still missing.
local base = (h[4] == '1' or not h[3]) and last or h[3]
local turn = math.max(tonumber(h[1] or 0) + 1, tonumber(ARGV[1]) + 1, math.floor(now / 1000))
turn = string.format('%d', turn)
local run = run_id()
local bare = h[5] == '1' and redis.call('EXISTS', fences) == 0
redis.call('HSET', head, 'run', run, 'turn', turn, 'n', '0', 'last', turn .. '-0',
  'base', base, 'clean', '0', 'fenced', '0', 'at', now)
redis.call('XADD', log, turn .. '-0', 'p', last, 'i', '0000000000000000-0', 'e', '-', 's', '')
redis.call('DEL', expect)
for _, life in ipairs(redis.call('HKEYS', members)) do redis.call('SADD', expect, life) end
for at = 2, #ARGV do redis.call('SADD', expect, ARGV[at]) end
redis.call('HSET', runs, run, turn)
return { bare and 'bare' or 'adopted', turn, base }
