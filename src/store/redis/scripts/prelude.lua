-- What several scripts need. A number is `turn-count` in the log and sixteen hexadecimal digits
-- where two are compared: a double holds 53 bits, a number has 64.

local function run_id()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
end

local function millis()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
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

-- Turn and count of a number as the log writes it; nothing of any other text. A number has 41 bits
-- for the one and 23 for the other.
local function parts_of(number)
  local turn, count = string.match(number or '', '^(%d+)-(%d+)$')
  turn, count = tonumber(turn), tonumber(count)
  if turn and turn < 2199023255552 and count < 8388608 then return turn, count end
end

-- A turn is named by the millisecond in which it begins, counted from the beginning of 2025.
local EPOCH = 1735689600000

-- How many orders a turn has room for: a batch of them may come at once.
local COUNT_MAX = 8000000

-- Whether it is such a time, or one more than the last. One that lies ten years ahead was written by
-- somebody else, and the turns behind it would soon be used up.
local function is_turn(turn, now)
  return turn and turn > 0 and turn <= math.max(now - EPOCH, 0) + 315360000000
end

-- Whether this server, of this run, is the one that the fleet knows: not restarted, not replaced by
-- a replica, not emptied, with its fences and its log, and not used up. `h` is what its head holds: run, fenced,
-- turn, last, base.
local function is_whole(h, log, fences, run, now)
  local turn, count = parts_of(h[4])
  return h[1] == run
    and is_turn(turn, now)
    and count <= COUNT_MAX
    and h[3] == string.format('%d', turn)
    and parts_of(h[5])
    and redis.call('EXISTS', log, h[2] == '1' and fences or log) == 2
end

-- The same for who changes something: the log must end where the head says, and what has another
-- kind goes.
local function adopted(head, log, fences)
  fit('HLEN', fences, 0)
  local h = fit('HMGET', head, {}, 'run', 'fenced', 'turn', 'last', 'base')
  local top = fit('XREVRANGE', log, {}, '+', '-', 'COUNT', 1)
  return is_whole(h, log, fences, run_id(), millis()) and top[1] and top[1][1] == h[4]
end

-- Whether somebody has applied more of a turn than this server knows: it has fallen back to older
-- data without a restart.
local function is_behind(applied, last)
  local turn, count = parts_of(applied)
  local own, known = parts_of(last)
  return turn and turn == own and count > known
end

-- What a member says when it checks in: its turn, when that began, how far it has got, and when.
local function said_by(turn, beginning, applied, now)
  return turn .. ' ' .. beginning .. ' ' .. applied .. ' ' .. now
end

-- Whether a life has checked in to the turn that began then. Where clocks differ, turns of servers
-- that forgot everything may have one number.
local function checked_in(members, life, turn, beginning)
  local said = fit('HGET', members, false, life)
  local its, began = string.match(said or '', '^(%d+) (%S+) ')
  return its == turn and began == beginning
end

-- The last order on a key. What is no number, or would stay for ever, was put there by somebody else.
local function tombstone_of(key)
  local found = fit('GET', key, false)
  if found and (not string.match(found, '^' .. string.rep('%x', 16) .. '$')
    or redis.call('PTTL', key) < 0) then
    redis.call('UNLINK', key)
    return false
  end
  return found
end

-- Who holds a lease, if anybody, and for how many milliseconds. One that would last longer than any
-- is taken for counts for nothing: nobody would end it, or a clock was set back.
local function lease_of(key, wanted)
  local held = fit('GET', key, false)
  local left = held and redis.call('PTTL', key) or 0
  if held and (left < 0 or left > math.max(2000, 2 * tonumber(wanted))) then
    redis.call('UNLINK', key)
    return false, 0
  end
  return held, left
end

-- Whether this turn is the one that began then.
local function is_turn_of(head, turn, beginning)
  local h = redis.call('HMGET', head, 'turn', 'began')
  return h[1] == turn and (h[2] or '') == beginning
end
