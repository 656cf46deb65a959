-- Somebody who may have known more did not come back in time. The caller has put an order on
-- everything into the log, so nothing wrong can: the turn counts as clean.
-- KEYS head log fences members expect   ARGV life turn patience-ms beginning
local head, log, fences, members, expect = unpack(KEYS)
if not adopted(head, log, fences) or not is_turn_of(head, ARGV[2], ARGV[4]) then
  return { 'again' }
end
local at = tonumber(redis.call('HGET', head, 'at') or 0)
if millis() - at < tonumber(ARGV[3]) then return { 'early' } end
redis.call('HSET', head, 'clean', '1')
for _, life in ipairs(redis.call('HKEYS', members)) do
  if not checked_in(members, life, ARGV[2], ARGV[4]) then redis.call('HDEL', members, life) end
end
redis.call('DEL', expect)
return { 'clean' }
