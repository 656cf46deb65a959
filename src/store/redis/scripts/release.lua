-- Gives a lease back, and tells those who wait. What came of it they find out by asking.
-- KEYS lease   ARGV token channel wake
local held = redis.pcall('GET', KEYS[1])
if held ~= ARGV[1] and held ~= ARGV[1] .. 'w' then return 0 end
redis.call('UNLINK', KEYS[1])
if held ~= ARGV[1] then redis.pcall('PUBLISH', ARGV[2], ARGV[3]) end
return 1
