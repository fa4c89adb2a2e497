-- include subtree_digests/nodes

-- KEYS: record. ARGV: model, buckets.
-- Returns: for each object in the buckets, in one string: length of its unique id, unique id, x, y, n, k, m.
local parts = {}
for from = 2, #ARGV, 100 do
  local blobs = redis.call('HMGET', space .. 'members:' .. ARGV[1], unpack(ARGV, from, math.min(from + 99, #ARGV)))
  local uids = {}
  for i = 1, #blobs do
    local at = 1
    while blobs[i] and at <= #blobs[i] do uids[#uids + 1], at = struct.unpack('>Ic0', blobs[i], at) end
  end
  for first = 1, #uids, 1000 do
    local found = redis.call('HMGET', space .. 'tree:' .. ARGV[1], unpack(uids, first, math.min(first + 999, #uids)))
    for i = 1, #found do
      local uid = uids[first + i - 1]
      parts[#parts + 1] = struct.pack('>Ic0', #uid, uid) .. answer(found[i])
    end
  end
end
return table.concat(parts)
