-- A member leaves in good order, or has been silent for so long that it must have.
-- KEYS members expect   ARGV silent-ms life
if tonumber(ARGV[1]) == 0 then
  redis.call('SREM', KEYS[2], ARGV[2])
  return redis.call('HDEL', KEYS[1], ARGV[2])
end
local now, gone = millis(), 0
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  local said = tonumber(string.match(all[at + 1], ' (%d+)$') or 0)
  if now - said > tonumber(ARGV[1]) and all[at] ~= ARGV[2] then
    gone = gone + redis.call('HDEL', KEYS[1], all[at])
    redis.call('SREM', KEYS[2], all[at])
  end
end
return gone
