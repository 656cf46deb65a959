-- What several scripts need. A number is `turn-count` in the log and sixteen hexadecimal digits
-- where two are compared: a double holds 53 bits, a number has 64.

local function run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
end

local function millis()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whether this server, of this run, is the one that the fleet knows: not restarted, not replaced by
-- a replica, not emptied, and with its fences and its log. `known` and `fenced` are what its head
-- holds.
local function is_whole(known, fenced, log, fences, run)
  if fenced ~= '1' then fences = log end
  return known == run and redis.call('EXISTS', log, fences) == 2
end

-- The same, for who has not read the head.
local function adopted(head, log, fences)
  local known = redis.call('HMGET', head, 'run', 'fenced')
  return is_whole(known[1], known[2], log, fences, run_id())
end

-- Whether a life has checked in to a turn.
local function checked_in(members, life, turn)
  local said = redis.call('HGET', members, life)
  return said and string.match(said, '^(%d+) ') == turn
end

-- What a command finds under a name; `none` where a value of another kind stands. Somebody else put
-- it there, and it goes.
local function fit(command, key, none, ...)
  local found = redis.pcall(command, key, ...)
  if type(found) ~= 'table' or not found.err then return found end
  if string.sub(found.err, 1, 9) ~= 'WRONGTYPE' then error(found) end
  redis.call('UNLINK', key)
  return none
end
