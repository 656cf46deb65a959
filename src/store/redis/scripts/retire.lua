-- Forgets fences that no frame can be behind any more, unless they were raised again.
-- What a server that comes back from the past might have behind them is not used: its frames count
-- from the greatest number that was ever forgotten.
-- KEYS head log fences   ARGV turn beginning fence number...
if not adopted(KEYS[1], KEYS[2], KEYS[3]) or not is_turn_of(KEYS[1], ARGV[1], ARGV[2]) then
  return -1
end
local gone = 0
local function beyond(one, other)
  local turn, count = string.match(one, '^(%d+)-(%d+)$')
  local turns, counts = string.match(other or '0-0', '^(%d+)-(%d+)$')
  turn, count, turns, counts = tonumber(turn), tonumber(count), tonumber(turns), tonumber(counts)
  return turn > turns or turn == turns and count > counts
end
for at = 3, #ARGV, 2 do
  if redis.call('HGET', KEYS[3], ARGV[at]) == ARGV[at + 1] then
    gone = gone + redis.call('HDEL', KEYS[3], ARGV[at])
    if beyond(ARGV[at + 1], redis.call('HGET', KEYS[1], 'retired')) then
      redis.call('HSET', KEYS[1], 'retired', ARGV[at + 1])
    end
  end
end
if redis.call('HLEN', KEYS[3]) == 0 then redis.call('HSET', KEYS[1], 'fenced', '0') end
return gone
