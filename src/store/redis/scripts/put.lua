-- Puts a frame, unless an order on its key came since its fetch began, a later frame stands there,
-- the fetch began too long ago, or this is not the server that was asked then.
-- A long frame does not pass through here, where every byte of it would be hashed and copied: it was
-- sent just before under a name of its own, and is renamed now, or goes.
-- Where an older frame made room, its beginning is told behind the word, if it is wanted.
-- KEYS frame directory tombstone lease registry [sent]
-- ARGV number frame keep-ms run looked-at late-ms variant names identity token channel wake offset
--      variants-max begins here
local frame, directory, tombstone, lease, registry, sent = unpack(KEYS)
local number, keep = ARGV[1], tonumber(ARGV[3])
local wanted = tonumber(ARGV[15])
local now, why, over = millis(), 'stored', ''
local tomb = tombstone_of(tombstone)
if ARGV[16] ~= ARGV[4] then
  why = 'moved'
elseif now - tonumber(ARGV[5]) > tonumber(ARGV[6]) then
  why = 'late'
elseif tomb and tomb > number then
  why = 'purged'
elseif sent and redis.call('EXISTS', sent) == 0 then
  why = 'lost'
else
  local offset = tonumber(ARGV[13])
  local old = fit('GETRANGE', frame, '', offset, offset + 7)
  local stands = ''
  for at = #old, 1, -1 do stands = stands .. string.format('%02x', string.byte(old, at)) end
  if #old == 8 and stands > number then why = 'older' end
  if #old == 8 and wanted > 0 then over = redis.call('GETRANGE', frame, 0, wanted - 1) end
end
if why == 'stored' and ARGV[7] ~= '' and fit('HEXISTS', directory, 0, ARGV[7]) == 0 then
  -- Only so many variants stand at once: those whose frames are gone make room.
  local ids = redis.call('HKEYS', directory)
  if #ids >= tonumber(ARGV[14]) then
    local beginning = string.sub(frame, 1, #frame - #ARGV[7])
    for _, id in ipairs(ids) do
      if redis.call('EXISTS', beginning .. id) == 0 then redis.call('HDEL', directory, id) end
    end
    if redis.call('HLEN', directory) >= tonumber(ARGV[14]) then why = 'variants' end
  end
end
if why == 'stored' then
  if sent then
    redis.call('RENAME', sent, frame)
    redis.call('PEXPIRE', frame, keep)
  else
    redis.call('SET', frame, ARGV[2], 'PX', keep)
  end
  if ARGV[7] ~= '' then
    redis.call('HSET', directory, ARGV[7], ARGV[8])
    if redis.call('PTTL', directory) < keep then redis.call('PEXPIRE', directory, keep) end
  end
  if ARGV[9] ~= '' then
    fit('ZREMRANGEBYSCORE', registry, 0, '-inf', now)
    redis.call('ZADD', registry, 'GT', now + keep, ARGV[9])
    if redis.call('PTTL', registry) < keep then redis.call('PEXPIRE', registry, keep) end
  end
end
if sent and why ~= 'stored' then redis.call('UNLINK', sent) end
if ARGV[10] ~= '' then
  local held = fit('GET', lease, false)
  if held == ARGV[10] or held == ARGV[10] .. 'w' then
    redis.call('UNLINK', lease)
    if held ~= ARGV[10] then redis.pcall('PUBLISH', ARGV[11], ARGV[12]) end
  end
end
if why == 'stored' and wanted > 0 then return {why, over} end
return why
