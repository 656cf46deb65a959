-- What there is to a frame that was read just before: how long it is here and now, the directory of
-- its variants, the tombstone of its key; and the lease, which is taken if nothing stands there. The
-- frame itself does not pass through here: every byte of it would be hashed and copied.
-- A question that comes later than anybody waits for its answer takes no lease: nobody would end it.
-- KEYS frame directory tombstone lease   ARGV token lease-ms asked-until run
local size = fit('STRLEN', KEYS[1], 0)
local variants = fit('HGETALL', KEYS[2], {})
local tombstone = tombstone_of(KEYS[3])
local now = millis()
local lease, left = '', 0
-- A frame is never empty; what is was put there by somebody else too.
if size == 0 and #variants == 0 then redis.call('UNLINK', KEYS[1]) end
if size == 0 and #variants == 0 and tonumber(ARGV[2]) > 0 then
  lease, left = lease_of(KEYS[4], ARGV[2])
  if lease then
    if string.sub(lease, -1) ~= 'w' then
      -- Somebody waits: whoever holds the lease must say when it ends.
      redis.call('SET', KEYS[4], lease .. 'w', 'KEEPTTL')
    end
  elseif now <= tonumber(ARGV[3]) then
    lease = ARGV[1]
    redis.call('SET', KEYS[4], lease, 'PX', ARGV[2])
  else
    lease = ''
  end
end
return { size, variants, tombstone, lease, left, now, ARGV[4] }
