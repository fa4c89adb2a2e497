-- include index/same_load

-- KEYS: record, sums of a level. ARGV: generation, number of buckets of a range, first bucket of each range.
-- Returns: the sums of all ranges; false if the store was loaded again.
if not is_same_load(KEYS[1], ARGV[1]) then return false end
local count, parts = tonumber(ARGV[2]), {}
for at = 3, #ARGV do
  local first = tonumber(ARGV[at])
  parts[#parts + 1] = redis.call('GETRANGE', KEYS[2], first * 12, (first + count) * 12 - 1)
end
return table.concat(parts)
