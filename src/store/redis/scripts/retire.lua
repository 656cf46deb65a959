-- Forgets fences that no frame can be behind any more, unless they were raised again.
-- KEYS head fences   ARGV fence number...
local gone = 0
for at = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[2], ARGV[at]) == ARGV[at + 1] then
    gone = gone + redis.call('HDEL', KEYS[2], ARGV[at])
  end
end
if redis.call('HLEN', KEYS[2]) == 0 then redis.call('HSET', KEYS[1], 'fenced', '0') end
return gone
