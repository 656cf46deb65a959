-- The latest number, for a member that has checked in; its heartbeat at the same time. Writing
-- makes sure that a master which may not write renews nobody's trust.
-- KEYS head log fences members   ARGV life applied wants-members run
local head, log, fences, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
if not adopted(head, log, fences, ARGV[4]) then return { 'unknown' } end
local h = redis.call('HMGET', head, 'turn', 'last', 'base', 'clean')
local now = millis()
if not checked_in(members, ARGV[1], h[1]) then
  local fresh = redis.call('HEXISTS', members, ARGV[1]) == 0 and 1 or 0
  return { 'stranger', h[1], h[2], h[3], h[4], now, fresh }
end
redis.call('HSET', members, ARGV[1], h[1] .. ' ' .. ARGV[2] .. ' ' .. now)
local all = ARGV[3] == '1' and redis.call('HKEYS', members) or {}
return { 'ok', h[1], h[2], h[3], h[4], now, all }
