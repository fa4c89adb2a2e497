-- include subtree_digests/update

-- Returns the packed unique ids of a bucket after `changes`: {uid: 1 if added, -1 if removed}.
local function members_after(blob, changes)
  local kept, gone, at = {''}, false, 1
  for uid, by in pairs(changes) do
    if by > 0 then kept[#kept + 1] = struct.pack('>Ic0', #uid, uid) end
    gone = gone or by < 0
  end
  local came = table.concat(kept)
  if not gone then return blob .. came end
  kept = {''}
  while at <= #blob do
    local uid, after = struct.unpack('>Ic0', blob, at)
    if (changes[uid] or 0) >= 0 then kept[#kept + 1] = string.sub(blob, at, after - 1) end
    at = after
  end
  return table.concat(kept) .. came
end

local function save_buckets(model, buckets)
  local sums, members = space .. 'sums:' .. model, space .. 'members:' .. model
  local names = {}
  for name in pairs(buckets) do names[#names + 1] = name end
  in_pieces(names, 500, function(from, to)
    local old_sums = redis.call('HMGET', sums, unpack(names, from, to))
    local old_members = redis.call('HMGET', members, unpack(names, from, to))
    local new_sums, new_members, emptied = {}, {}, {}
    for i = from, to do
      local bucket, x, y = buckets[names[i]], 0, 0
      local blob = members_after(old_members[i - from + 1] or '', bucket.members)
      if old_sums[i - from + 1] then x, y = struct.unpack('>I6I6', old_sums[i - from + 1]) end
      if blob == '' then
        emptied[#emptied + 1] = names[i]
      else
        new_members[#new_members + 1] = names[i]
        new_members[#new_members + 1] = blob
        new_sums[#new_sums + 1] = names[i]
        new_sums[#new_sums + 1] = struct.pack('>I6I6', (x + bucket.x) % LANE, (y + bucket.y) % LANE)
      end
    end
    if #new_members > 0 then
      redis.call('HSET', members, unpack(new_members))
      redis.call('HSET', sums, unpack(new_sums))
    end
    if #emptied > 0 then
      redis.call('HDEL', members, unpack(emptied))
      redis.call('HDEL', sums, unpack(emptied))
    end
  end)
end

local function save_tree()
  for model, uids in pairs(touched) do
    local key, pairs_, gone = space .. 'tree:' .. model, {}, {}
    for uid in pairs(uids) do
      local packed = nodes[model][uid]
      if type(packed) ~= 'string' then packed = pack_node(packed) end
      if packed then
        pairs_[#pairs_ + 1] = uid
        pairs_[#pairs_ + 1] = packed
      else
        gone[#gone + 1] = uid
      end
    end
    in_pieces(pairs_, 2000, function(from, to) redis.call('HSET', key, unpack(pairs_, from, to)) end)
    in_pieces(gone, 1000, function(from, to) redis.call('HDEL', key, unpack(gone, from, to)) end)
    redis.call('EXPIRE', key, life)
    redis.call('HSETNX', space .. 'schema', model, '') -- children may be listed before any is written
  end
  for model, top in pairs(tops) do
    local sums = space .. 'sums:' .. model
    save_buckets(model, top.buckets)
    for name, by in pairs({n = top.n, k = top.k, m = top.m}) do
      if by ~= 0 then redis.call('HINCRBY', sums, name, by) end
    end
    redis.call('EXPIRE', sums, life)
    redis.call('EXPIRE', space .. 'members:' .. model, life)
  end
end
