-- A member has repeated what this server may have lost, and follows the log from here on. When all
-- who are expected have done so, frames of earlier turns may be used again. It hears who the members
-- are: should this server be lost now, they are to be expected.
-- KEYS head log fences members expect   ARGV life turn applied known-lives...
local head, log, fences, members, expect = unpack(KEYS)
if not adopted(head, log, fences) or redis.call('HGET', head, 'turn') ~= ARGV[2] then
  return { 'again' }
end
fit('SCARD', expect, 0)
local now = millis()
redis.call('HSET', members, ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. now)
local clean = redis.call('HGET', head, 'clean') == '1'
for at = 4, #ARGV do
  redis.call('SADD', expect, ARGV[at])
  if clean and redis.call('HEXISTS', members, ARGV[at]) == 0 then
    -- It knows a member that this server has never heard of.
    clean = false
    redis.call('HSET', head, 'clean', '0', 'at', now)
  end
end
local all = true
for _, life in ipairs(redis.call('SMEMBERS', expect)) do
  if not checked_in(members, life, ARGV[2]) then all = false end
end
if all then redis.call('HSET', head, 'clean', '1') end
return { all and 'clean' or 'waits', redis.call('HKEYS', members) }
