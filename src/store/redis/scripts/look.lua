-- What stands under an identity: its frame, the directory of its variants, the tombstone of its
-- key; and the lease, which is taken if nothing stands there.
-- KEYS frame directory tombstone lease   ARGV token lease-ms
local frame = redis.call('GET', KEYS[1])
local variants = redis.call('HGETALL', KEYS[2])
local tombstone = redis.call('GET', KEYS[3])
local lease, left = '', 0
if not frame and #variants == 0 and tonumber(ARGV[2]) > 0 then
  lease = redis.call('GET', KEYS[4])
  if lease then
    left = redis.call('PTTL', KEYS[4])
    if string.sub(lease, -1) ~= 'w' then
      -- Somebody waits: whoever holds the lease must say when it ends.
      redis.call('SET', KEYS[4], lease .. 'w', 'KEEPTTL')
    end
  else
    lease = ARGV[1]
    redis.call('SET', KEYS[4], lease, 'PX', ARGV[2])
  end
end
return { frame, variants, tombstone, lease, left, millis(), run_id() }
