-- Which of these commands the user may not give. Nothing is carried out.
-- ARGV commands, the words of each parted by \1
local denied = {}
for _, line in ipairs(ARGV) do
  local words = {}
  for word in string.gmatch(line, '[^\1]+') do words[#words + 1] = word end
  local known, may = pcall(redis.acl_check_cmd, unpack(words))
  if not known or not may then denied[#denied + 1] = words[1] end
end
return denied
