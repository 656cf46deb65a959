-- A server that nobody knows becomes the fleet's: a new turn begins, above every number ever seen.
-- What it lost comes back from the memory of the members, who are expected to check in. A turn
-- below one that the caller has seen (another machine, another clock) is given up in the same way.
-- Where fences are lost that nobody may remember, a fence on everything takes their place: who
-- joins later uses no frame of earlier turns, and members go by what they know. A log whose head is
-- gone links to nothing that follows, and what was taken into it must be taken again; the same holds
-- for a log that does not end where the head says. Data that somebody has damaged is what is lost.
-- KEYS head log fences members expect runs done   ARGV turn-seen applied known-lives...
local head, log, fences, members, expect, runs, done = unpack(KEYS)
for _, hash in ipairs({ fences, members, runs, done }) do fit('HLEN', hash, 0) end
fit('SCARD', expect, 0)
local h = fit('HMGET', head, {}, 'turn', 'last', 'base', 'clean', 'fenced')
if adopted(head, log, fences) and tonumber(h[1]) >= tonumber(ARGV[1])
  and not is_behind(ARGV[2], h[2]) then
  return { 'known' }
end
local now = millis()
local last = parts_of(h[2]) and h[2] or '0-0'
-- While not all have reported, what the former server lost is still missing.
local was_clean = h[4] == '1' or not parts_of(h[3])
local base = was_clean and last or h[3]
local known = tonumber(h[1]) or 0
if not is_turn(known, now) then known = 0 end
local turn = math.max(known + 1, tonumber(ARGV[1]) + 1, math.floor(now / 1000))
turn = string.format('%d', turn)
local run = run_id()
local top = fit('XREVRANGE', log, {}, '+', '-', 'COUNT', 1)
if not h[1] or not top[1] or top[1][1] ~= h[2] then redis.call('DEL', log, done) end
local fenced = h[5] or '0'
if not h[1] or fenced == '1' and redis.call('EXISTS', fences) == 0 then
  redis.call('HSET', fences, 'a0:', turn .. '-0')
  fenced = '1'
end
redis.call('HSET', head, 'run', run, 'turn', turn, 'last', turn .. '-0',
  'base', base, 'clean', '0', 'fenced', fenced, 'at', now)
redis.call('XADD', log, turn .. '-0', 'p', last, 'i', '0000000000000000-0', 'e', '-', 's', '')
if was_clean then redis.call('DEL', expect) end
for _, life in ipairs(redis.call('HKEYS', members)) do redis.call('SADD', expect, life) end
for at = 3, #ARGV do redis.call('SADD', expect, ARGV[at]) end
redis.call('HSET', runs, run, '0-0')
return { 'adopted', turn, base }
