-- An order on a key: its tombstone, and all that stands under it goes. All keys lie in one slot.
-- Gives back how many frames went, and whether more are left than one call should take.
-- KEYS tombstone registry   ARGV number tombstone-ms frame-prefix directory-prefix lease-prefix
--      identity...
local number = ARGV[1]
local tomb = redis.call('GET', KEYS[1])
if not tomb or tomb < number then redis.call('SET', KEYS[1], number, 'PX', ARGV[2]) end
local gone = 0
local function take(identity)
  local directory = ARGV[4] .. identity
  gone = gone + redis.call('UNLINK', ARGV[3] .. identity)
  for _, variant in ipairs(redis.call('HKEYS', directory)) do
    gone = gone + redis.call('UNLINK', ARGV[3] .. identity .. '\2' .. variant)
  end
  redis.call('UNLINK', directory, ARGV[5] .. identity)
end
for at = 6, #ARGV do take(ARGV[at]) end
local some = redis.call('ZPOPMIN', KEYS[2], 500)
for at = 1, #some, 2 do take(some[at]) end
return { gone, redis.call('EXISTS', KEYS[2]) }
