-- include index/same_load

-- KEYS: record, nodes. ARGV: generation, ids.
-- Returns: the node of each object; false if the store was loaded again.
if not is_same_load(KEYS[1], ARGV[1]) then return false end
local LEAF, parts = '\0\0\0\1\0\0\0\0', {}
for from = 2, #ARGV, 1000 do
  for _, node in ipairs(redis.call('HMGET', KEYS[2], unpack(ARGV, from, math.min(from + 999, #ARGV)))) do
    parts[#parts + 1] = node or LEAF
  end
end
return table.concat(parts)
