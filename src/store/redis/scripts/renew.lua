-- The fetch that a lease is for still runs.
-- KEYS lease   ARGV token lease-ms
local held = redis.pcall('GET', KEYS[1])
if held ~= ARGV[1] and held ~= ARGV[1] .. 'w' then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
