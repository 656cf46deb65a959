-- The lease of an identity whose frame is of no use: taken, or who holds it.
-- KEYS lease   ARGV token lease-ms asked-until
local held, left = lease_of(KEYS[1], ARGV[2])
if not held then
  if millis() > tonumber(ARGV[3]) then return { '', 0 } end
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return { ARGV[1], 0 }
end
if string.sub(held, -1) ~= 'w' then redis.call('SET', KEYS[1], held .. 'w', 'KEEPTTL') end
return { held, left }
