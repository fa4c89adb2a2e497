-- Appends entries to a list of a diff; does nothing if an earlier call, whose answer was lost, has appended them.
-- KEYS: list. ARGV: number of entries before these, seconds to live, entries.
-- Returns: 1; 0 if other entries are in their place; -1 if the entries before these are gone.
local there = redis.call('LRANGE', KEYS[1], ARGV[1], -1)
if #there > 0 then
  if #there ~= #ARGV - 2 then return 0 end
  for i = 1, #there do
    if there[i] ~= ARGV[i + 2] then return 0 end
  end
else
  local before = redis.call('LLEN', KEYS[1])
  if before ~= tonumber(ARGV[1]) then return before == 0 and -1 or 0 end
  redis.call('RPUSH', KEYS[1], unpack(ARGV, 3))
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
