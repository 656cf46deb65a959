-- A server that nobody knows becomes the fleet's: a new turn begins, above every number ever seen.
-- What it lost comes back from the memory of the members, who are expected to check in. A turn
-- below one that the caller has seen (another machine, another clock) is given up in the same way.
-- Where fences are lost that nobody may remember, a fence on everything takes their place: who
-- joins later uses no frame of earlier turns, and members go by what they know. A log whose head is
-- gone links to nothing that follows, and what was taken into it must be taken again, all of it; the
-- same holds for a log that is gone, or does not end where the head says: who had not read it would
-- never learn what it said. Data that somebody has damaged is what is lost.
-- Turns that begin on servers that know nothing of each other, and whose clocks differ, may have one
-- number, so each keeps when it began, to a microsecond: who has checked in to another one is heard.
-- KEYS head log fences members expect runs done
-- ARGV turn-seen applied turn-of-member beginning known-lives...
local head, log, fences, members, expect, runs, done = unpack(KEYS)
for _, hash in ipairs({ fences, members, runs, done }) do fit('HLEN', hash, 0) end
fit('SCARD', expect, 0)
local h = fit('HMGET', head, {}, 'turn', 'last', 'base', 'clean', 'fenced', 'crew')
-- Who the members are, and who has yet to report, may have been evicted: then nobody would wait for
-- those of whom nothing is known here.
local has_crew = (h[6] ~= '1' or redis.call('EXISTS', members) == 1)
  and (h[4] == '1' or redis.call('EXISTS', expect) == 1)
if adopted(head, log, fences) and has_crew and tonumber(h[1]) >= tonumber(ARGV[1])
  and not is_behind(ARGV[2], h[2])
  and (h[1] ~= ARGV[3] or (redis.call('HGET', head, 'e' .. ARGV[3]) or ARGV[4]) == ARGV[4]) then
  return { 'known' }
end
local now = millis()
local top = fit('XREVRANGE', log, {}, '+', '-', 'COUNT', 1)
local has_log = parts_of(h[2]) and top[1] and top[1][1] == h[2]
local last = has_log and h[2] or '0-0'
-- While not all have reported, what the former server lost is still missing.
local was_clean = h[4] == '1' or not parts_of(h[3])
local base = (was_clean or not has_log) and last or h[3]
local known = tonumber(h[1]) or 0
if not is_turn(known, now) then known = 0 end
local turn = math.max(known + 1, tonumber(ARGV[1]) + 1, now - EPOCH)
turn = string.format('%d', turn)
local run = run_id()
if not has_log then redis.call('DEL', log, done) end
local fenced = h[5] or '0'
if not h[1] or fenced == '1' and redis.call('EXISTS', fences) == 0 then
  redis.call('HSET', fences, 'a0:', turn .. '-0')
  fenced = '1'
end
local time = redis.call('TIME')
local began = time[1] .. '.' .. time[2]
redis.call('HSET', head, 'e' .. turn, began, 'began', began)
-- Nobody links to a turn from before the log.
local first = fit('XRANGE', log, {}, '-', '+', 'COUNT', 1)
local oldest = first[1] and parts_of(first[1][2][2]) or parts_of(last)
for _, field in ipairs(redis.call('HKEYS', head)) do
  local one = tonumber(string.match(field, '^e(%d+)$'))
  if one and oldest and one < oldest then redis.call('HDEL', head, field) end
end
redis.call('HSET', head, 'run', run, 'turn', turn, 'last', turn .. '-0',
  'base', base, 'clean', '0', 'fenced', fenced, 'at', now, 'crew', '0')
redis.call('XADD', log, turn .. '-0', 'p', last, 'i', '0000000000000000-0', 'e', '-', 's', '')
if was_clean then redis.call('DEL', expect) end
for _, life in ipairs(redis.call('HKEYS', members)) do redis.call('SADD', expect, life) end
for at = 5, #ARGV do redis.call('SADD', expect, ARGV[at]) end
redis.call('HSET', runs, run, '0-0')
return { 'adopted', turn, base }
