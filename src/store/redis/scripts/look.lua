-- What stands under an identity: its frame, the directory of its variants, the tombstone of its
-- key; and the lease, which is taken if nothing stands there.
-- A value of another kind was put there by somebody else, and goes. A question that comes later
-- than anybody waits for its answer takes no lease: nobody would end it.
-- Of a frame longer than is wanted only its length is told; 0 wants it however long it is.
-- KEYS frame directory tombstone lease   ARGV token lease-ms asked-until most-bytes run
local function fit(name, key, none)
  local found = redis.pcall(name, key)
  if type(found) ~= 'table' or not found.err then return found end
  redis.call('UNLINK', key)
  return none
end
local size = fit('STRLEN', KEYS[1], 0)
local most = tonumber(ARGV[4])
local frame = most > 0 and size > most and size or fit('GET', KEYS[1], false)
local variants = fit('HGETALL', KEYS[2], {})
local tombstone = redis.call('GET', KEYS[3])
local lease, left = '', 0
if not frame and #variants == 0 and tonumber(ARGV[2]) > 0 then
  lease = redis.call('GET', KEYS[4]) or ''
  if lease ~= '' then
    left = redis.call('PTTL', KEYS[4])
    if string.sub(lease, -1) ~= 'w' then
      -- Somebody waits: whoever holds the lease must say when it ends.
      redis.call('SET', KEYS[4], lease .. 'w', 'KEEPTTL')
    end
  elseif millis() <= tonumber(ARGV[3]) then
    lease = ARGV[1]
    redis.call('SET', KEYS[4], lease, 'PX', ARGV[2])
  end
end
return { frame, variants, tombstone, lease, left, millis(), ARGV[5] }
