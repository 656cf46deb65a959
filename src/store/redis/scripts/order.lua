-- Numbers orders of one life, first in, first out: into the log, their fences beside it, and out
-- as messages. A count that was taken already is a repeat, and any later number is as good. A script
-- that ends halfway is not undone, so the head follows each order at once, and a message that may
-- not be sent stops nothing: members ask.
-- KEYS head log fences done open members
-- The log has two halves: when the younger is full of bytes, the older goes.
-- ARGV life turn is-member channel keep-log keep-bytes applied beginning, then for each order:
--      life count event order finishes fence-count fence...
local head, log, fences, done, open, members = unpack(KEYS)
if not adopted(head, log, fences) then return { 'unknown' } end
fit('HLEN', done, 0)
fit('HLEN', open, 0)
local h = redis.call('HMGET', head, 'turn', 'last', 'logged', 'middle')
local turn, last, logged = h[1], h[2], tonumber(h[3]) or 0
local _, n = parts_of(last)
if is_behind(ARGV[7], last) then return { 'unknown' } end
if not is_turn_of(head, ARGV[2], ARGV[8]) then return { 'turn' } end
if ARGV[3] == '1' and not checked_in(members, ARGV[1], turn, ARGV[8]) then return { 'stranger' } end
local numbers, at = { 'ok' }, 9
while at <= #ARGV do
  local life, count, event, order = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local finishes, wide = ARGV[at + 4], tonumber(ARGV[at + 5])
  local taken = tonumber(redis.call('HGET', done, life)) or 0
  if taken < tonumber(count) then
    n = n + 1
    local number, id = string.format('%s-%d', turn, n), life .. '-' .. count
    redis.call('XADD', log, 'MAXLEN', '~', ARGV[5], number, 'p', last, 'i', id, 'e', event, 's', order)
    redis.call('HSET', head, 'last', number)
    redis.call('HSET', done, life, count)
    for fence = at + 6, at + 5 + wide do redis.call('HSET', fences, ARGV[fence], number) end
    if wide > 0 then redis.call('HSET', head, 'fenced', '1') end
    if finishes == '1' then redis.call('HSET', open, id, '0 ' .. order) end
    redis.pcall('PUBLISH', ARGV[4],
      number .. ' ' .. last .. ' ' .. id .. ' ' .. event .. ' ' .. order)
    logged = logged + #order + #event + #last
    last = number
  end
  numbers[#numbers + 1] = last
  at = at + 6 + wide
end
if logged > tonumber(ARGV[6]) / 2 then
  if parts_of(h[4]) then redis.call('XTRIM', log, 'MINID', h[4]) end
  redis.call('HSET', head, 'middle', last)
  logged = 0
end
redis.call('HSET', head, 'logged', logged)
return numbers
