-- include subtree_digests/nodes

-- KEYS: record. ARGV: model, unique ids.
-- Returns: x, y, n, k, m for each id in one string; zeros for an object that is not stored.
local key, parts = space .. 'tree:' .. ARGV[1], {}
for from = 2, #ARGV, 1000 do
  local found = redis.call('HMGET', key, unpack(ARGV, from, math.min(from + 999, #ARGV)))
  for i = 1, #found do parts[#parts + 1] = answer(found[i]) end
end
return table.concat(parts)
