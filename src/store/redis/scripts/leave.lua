-- A member leaves in good order, or has been silent for so long that it must have. Nobody goes who
-- may know orders that this server lost and that were not repeated yet. How many orders they gave is
-- forgotten with them: should somebody repeat one, it counts as a later one.
-- KEYS head log fences members expect done   ARGV silent-ms life
local head, log, fences, members, expect, done = unpack(KEYS)
if not adopted(head, log, fences) then return 0 end
local h = redis.call('HMGET', head, 'turn', 'clean', 'began')
if tonumber(ARGV[1]) == 0 then
  if not checked_in(members, ARGV[2], h[1], h[3] or '') then return 0 end
  redis.call('SREM', expect, ARGV[2])
  redis.call('HDEL', done, ARGV[2])
  local left = redis.call('HDEL', members, ARGV[2])
  if redis.call('EXISTS', members) == 0 then redis.call('HSET', head, 'crew', '0') end
  return left
end
if h[2] ~= '1' then return 0 end
local now, gone = millis(), 0
local all = redis.call('HGETALL', members)
for at = 1, #all, 2 do
  local said = tonumber(string.match(all[at + 1], ' (%d+)$') or 0)
  if now - said > tonumber(ARGV[1]) and all[at] ~= ARGV[2] then
    gone = gone + redis.call('HDEL', members, all[at])
    redis.call('SREM', expect, all[at])
    redis.call('HDEL', done, all[at])
  end
end
if gone > 0 and redis.call('EXISTS', members) == 0 then redis.call('HSET', head, 'crew', '0') end
return gone
