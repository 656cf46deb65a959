-- Takes a frame away that is still the one which was looked at.
-- KEYS frame   ARGV beginning
local stands = redis.call('GETRANGE', KEYS[1], 0, #ARGV[1] - 1)
if stands ~= ARGV[1] then return 0 end
return redis.call('UNLINK', KEYS[1])
