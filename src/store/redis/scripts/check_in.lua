-- A member has repeated what this server may have lost, and follows the log from here on. When all
-- who are expected have done so, frames of earlier turns may be used again. It hears who the members
-- are: should this server be lost now, they are to be expected.
-- What it has repeated went to the turn that began then; another one of the same number has not got it.
-- KEYS head log fences members expect   ARGV life turn applied beginning known-lives...
local head, log, fences, members, expect = unpack(KEYS)
if not adopted(head, log, fences) or not is_turn_of(head, ARGV[2], ARGV[4]) then
  return { 'again' }
end
local h = redis.call('HMGET', head, 'clean', 'crew')
local clean = h[1] == '1'
if not clean and fit('SCARD', expect, 0) == 0 or h[2] == '1' and fit('HLEN', members, 0) == 0 then
  return { 'lost' }
end
local now = millis()
redis.call('HSET', members, ARGV[1], said_by(ARGV[2], ARGV[4], ARGV[3], now))
redis.call('HSET', head, 'crew', '1')
for at = 5, #ARGV do
  redis.call('SADD', expect, ARGV[at])
  if clean and redis.call('HEXISTS', members, ARGV[at]) == 0 then
    -- It knows a member that this server has never heard of.
    clean = false
    redis.call('HSET', head, 'clean', '0', 'at', now)
  end
end
local all = true
for _, life in ipairs(redis.call('SMEMBERS', expect)) do
  if not checked_in(members, life, ARGV[2], ARGV[4]) then all = false end
end
if all then redis.call('HSET', head, 'clean', '1') end
return { all and 'clean' or 'waits', redis.call('HKEYS', members) }
