-- An order on a key: its tombstone, and all that stands under it goes. All keys lie in one slot.
-- Values of other kinds under these names, which somebody else must have put there, stop no order.
-- Gives back how many frames went, whether more are left than one call should take, what some of the
-- frames were called, and how they began: an earlier order may have named them, and counted them.
-- KEYS tombstone registry   ARGV number tombstone-ms frame-prefix directory-prefix lease-prefix
--      identity...
local number = ARGV[1]
local function found(none, ...)
  local value = redis.pcall(...)
  if type(value) == 'table' and value.err then return none end
  return value
end
local tomb = tombstone_of(KEYS[1])
if not tomb or tomb < number then redis.call('SET', KEYS[1], number, 'PX', ARGV[2]) end
local gone, names, begins = 0, {}, {}
local function drop(frame)
  local beginning = gone < 256 and found('', 'GETRANGE', frame, 0, 511) or ''
  if redis.call('UNLINK', frame) == 0 then return end
  gone = gone + 1
  if gone <= 256 then names[gone], begins[gone] = frame, beginning end
end
local function take(identity)
  local directory = ARGV[4] .. identity
  drop(ARGV[3] .. identity)
  for _, variant in ipairs(found({}, 'HKEYS', directory)) do
    drop(ARGV[3] .. identity .. '\2' .. variant)
  end
  redis.call('UNLINK', directory, ARGV[5] .. identity)
end
for at = 6, #ARGV do take(ARGV[at]) end
local some = found(false, 'ZPOPMIN', KEYS[2], 500)
if not some then
  redis.call('UNLINK', KEYS[2])
  some = {}
end
for at = 1, #some, 2 do take(some[at]) end
return { gone, redis.call('EXISTS', KEYS[2]), names, begins }
