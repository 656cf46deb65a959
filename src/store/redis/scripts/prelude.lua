-- What several scripts need. A number is `turn-count` in the log and sixteen hexadecimal digits
-- where two are compared: a double holds 53 bits, a number has 64.

local function run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
end

local function millis()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Whether this server is the one that the fleet knows: not restarted, not replaced by a replica,
-- not emptied, and with its fences and its log. `run` is its run id, where the caller was told it.
local function adopted(head, log, fences, run)
  local known = redis.call('HMGET', head, 'run', 'fenced')
  return known[1] == (run or run_id())
    and redis.call('EXISTS', log) == 1
    and (known[2] ~= '1' or redis.call('EXISTS', fences) == 1)
end

-- Whether a life has checked in to a turn.
local function checked_in(members, life, turn)
  local said = redis.call('HGET', members, life)
  return said and string.match(said, '^(%d+) ') == turn
end
