-- The lease of an identity whose frame is of no use: taken, or who holds it.
-- KEYS lease   ARGV token lease-ms
local held = redis.call('GET', KEYS[1])
if not held then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  return { ARGV[1], 0 }
end
if string.sub(held, -1) ~= 'w' then redis.call('SET', KEYS[1], held .. 'w', 'KEEPTTL') end
return { held, redis.call('PTTL', KEYS[1]) }
