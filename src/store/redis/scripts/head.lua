-- The latest number, for a member that has checked in. It asks for nothing more, for the `members`,
-- or for them and leaves a heartbeat (`beat`). A look leaves none, which would be written to the
-- append-only file and to the replicas with every read. Whoever may not write refuses this script
-- all the same, for it does not say that it writes nothing; and so renews nobody's trust.
-- KEYS head log fences members   ARGV life applied asks turn-of-member beginning run
local head, log, fences, members = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local h = fit('HMGET', head, {},
  'run', 'fenced', 'turn', 'last', 'base', 'clean', 'e' .. ARGV[4], 'crew', 'began')
local turn, began, now = h[3], h[9] or '', millis()
if not is_whole(h, log, fences, ARGV[6], now) or is_behind(ARGV[2], h[4])
  or h[8] == '1' and redis.call('EXISTS', members) == 0 then
  return { 'unknown' }
end
if h[7] and h[7] ~= ARGV[5] then return { 'other' } end
if not checked_in(members, ARGV[1], turn, began) then
  local fresh = redis.call('HEXISTS', members, ARGV[1]) == 0 and 1 or 0
  return { 'stranger', turn, h[4], h[5], h[6], now, fresh, began }
end
if ARGV[3] == 'beat' then
  redis.call('HSET', members, ARGV[1], said_by(turn, began, ARGV[2], now))
end
local all = ARGV[3] ~= '' and redis.call('HKEYS', members) or {}
return { 'ok', turn, h[4], h[5], h[6], now, all, began }
