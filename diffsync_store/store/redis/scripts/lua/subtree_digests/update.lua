-- include subtree_digests/node_cache

local function schema_of(model)
  if not schemas[model] then
    local text = redis.call('HGET', space .. 'schema', model)
    schemas[model] = text and text ~= '' and cjson.decode(text) or {}
  end
  return schemas[model]
end

-- Returns true if two schemas of a model give comparable digests.
local function comparable(one, other)
  for child_model, field in pairs(one.children) do
    if other.children[child_model] ~= field then return false end
  end
  for child_model in pairs(other.children) do
    if not one.children[child_model] then return false end
  end
  return one.fingerprint == other.fingerprint and one.methods == other.methods and one.is_top == other.is_top
end

-- Returns what a node contributes to each of its parents: x, y, n, k, m.
local function contribution(node)
  if not node.present then return 0, 0, 0, 0, 1 end
  if node.ignored then return node.a, node.b, 0, 1, 0 end
  return node.x, node.y, node.n, node.k, node.m
end

-- Marks the digests as invalid, until the store is loaded again.
local function distrust(reason)
  redis.call('HSET', KEYS[1], 'undigested', reason)
end

local change

-- Propagates the change of a node's contribution to its parents and to its bucket. Objects that are not stored are in no
-- bucket.
local function propagate(model, uid, node, was_present, x, y, n, k, m)
  local nx, ny, nn, nk, nm = contribution(node)
  local dx, dy, dn, dk, dm = (nx - x) % LANE, (ny - y) % LANE, nn - n, nk - k, nm - m
  local changed = dx ~= 0 or dy ~= 0 or dn ~= 0 or dk ~= 0 or dm ~= 0
  if changed then
    node.is_propagating = true
    for _, parent in ipairs(node.parents) do change(parent[1], parent[2], dx, dy, dn, dk, dm) end
    node.is_propagating = false
  end
  if not changed and was_present == node.present then return end
  if not schema_of(model).is_top or not (was_present or node.present) then return end
  if not was_present then dm = nm elseif not node.present then dm = -m end
  local top = tops[model]
  if not top then
    top = {n = 0, k = 0, m = 0, buckets = {}}
    tops[model] = top
  end
  local name = tonumber(string.sub(redis.sha1hex(uid), 1, 4), 16) % 16384
  local bucket = top.buckets[name]
  if not bucket then
    bucket = {x = 0, y = 0, members = {}}
    top.buckets[name] = bucket
  end
  bucket.x, bucket.y = (bucket.x + dx) % LANE, (bucket.y + dy) % LANE
  top.n, top.k, top.m = top.n + dn, top.k + dk, top.m + dm
  if was_present ~= node.present then
    bucket.members[uid] = (bucket.members[uid] or 0) + (node.present and 1 or -1)
  end
end

-- Applies the change of a child's contribution to a node, and propagates it.
change = function(model, uid, dx, dy, dn, dk, dm)
  local node = node_of(model, uid)
  steps = steps + 1
  if node.is_propagating or steps > STEPS then return distrust(model .. ' objects are below themselves') end
  local x, y, n, k, m = contribution(node)
  node.x, node.y = (node.x + dx) % LANE, (node.y + dy) % LANE
  node.n, node.k, node.m = node.n + dn, node.k + dk, node.m + dm
  propagate(model, uid, node, node.present, x, y, n, k, m)
end

local function add_child(node, sign, child)
  local x, y, n, k, m = contribution(child)
  node.x, node.y = (node.x + sign * x) % LANE, (node.y + sign * y) % LANE
  node.n, node.k, node.m = node.n + sign * n, node.k + sign * k, node.m + sign * m
end

-- Returns the children that an object lists: {child model: {uid: true}}.
local function listed(model, value)
  local found = {}
  if not value then return found end
  local line = string.match(value, '^[^\n]*')
  local ok, fields = pcall(cjson.decode, line)
  if not ok then
    distrust(model .. ' objects cannot be read')
    return found
  end
  for child_model, field in pairs(schema_of(model).children) do
    local uids = {}
    found[child_model] = uids
    if type(fields[field]) == 'table' then
      for _, uid in ipairs(fields[field]) do
        if type(uid) ~= 'userdata' and type(uid) ~= 'table' then uids[tostring(uid)] = true end -- a table is not valid Unicode
      end
    end
  end
  return found
end

local function for_each_missing(from, of, body)
  for child_model, uids in pairs(from) do
    local others = of[child_model] or {}
    for uid in pairs(uids) do
      if not others[uid] then body(child_model, uid) end
    end
  end
end

local function relink(model, uid, node, old, new)
  for_each_missing(old, new, function(child_model, child_uid)
    local child = node_of(child_model, child_uid)
    add_child(node, -1, child)
    for i, parent in ipairs(child.parents) do
      if parent[1] == model and parent[2] == uid then
        table.remove(child.parents, i)
        break
      end
    end
  end)
  if new[model] and new[model][uid] then distrust(model .. ' objects are below themselves') end
  local as_parent = pack_parent(model, uid)
  for_each_missing(new, old, function(child_model, child_uid)
    local packed = nodes[child_model][child_uid]
    if type(packed) == 'string' and #packed == 13 and string.byte(packed) == 1 then -- a leaf without parents
      local a, b = struct.unpack('>I6I6', packed, 2)
      node.x, node.y, node.n = (node.x + a) % LANE, (node.y + b) % LANE, node.n + 1
      set_packed(child_model, child_uid, packed .. as_parent)
    else
      local child = node_of(child_model, child_uid)
      add_child(node, 1, child)
      child.parents[#child.parents + 1] = {model, uid}
    end
  end)
end

local function gather_listed(...)
  local wanted = {}
  for _, lists in ipairs({...}) do
    for _, of_object in pairs(lists) do
      for child_model, uids in pairs(of_object) do
        local all = wanted[child_model] or {}
        wanted[child_model] = all
        for uid in pairs(uids) do all[#all + 1] = uid end
      end
    end
  end
  for child_model, uids in pairs(wanted) do gather(child_model, uids) end
end

-- Updates the nodes of objects that are about to be written or removed. `values` and `digests` map the unique ids of those
-- that are written.
local function keep_tree(model, uids, values, digests)
  if #uids == 0 then return end
  local known, old, new = gather(model, uids), {}, {}
  local has_children = next(schema_of(model).children or {}) ~= nil
  local is_leaf = not has_children and not schema_of(model).is_top
  if has_children then
    in_pieces(uids, 1000, function(from, to)
      local found = redis.call('HMGET', space .. 'objects:' .. model, unpack(uids, from, to))
      for i = from, to do
        old[uids[i]] = listed(model, found[i - from + 1])
        new[uids[i]] = listed(model, values[uids[i]])
      end
    end)
    gather_listed(old, new)
  end
  for _, uid in ipairs(uids) do
    local digest = digests[uid]
    if is_leaf and digest and known[uid] == '' then
      set_packed(model, uid, (string.sub(digest, 13) == 'i' and '\3' or '\1') .. string.sub(digest, 1, 12))
    else
      local node = node_of(model, uid)
      local was_present = node.present
      local x, y, n, k, m = contribution(node)
      if was_present then
        node.x, node.y, node.n = (node.x - node.a) % LANE, (node.y - node.b) % LANE, node.n - 1
        node.a, node.b = 0, 0
      end
      node.present, node.ignored = digest ~= nil, digest ~= nil and string.sub(digest, 13) == 'i'
      if digest then
        node.a, node.b = struct.unpack('>I6I6', digest)
        node.x, node.y, node.n = (node.x + node.a) % LANE, (node.y + node.b) % LANE, node.n + 1
      end
      if has_children then relink(model, uid, node, old[uid], new[uid]) end
      propagate(model, uid, node, was_present, x, y, n, k, m)
    end
  end
end

-- Does the same for all pairs of ARGV at once, if they are leaves without parents and new to the store; returns false if not.
local function keep_new_leaves(model, uids)
  local schema = schema_of(model)
  if schema.is_top or next(schema.children or {}) or nodes[model] then return false end
  local key, packed = space .. 'tree:' .. model, {}
  for _, found in ipairs(redis.call('HMGET', key, unpack(uids))) do
    if found then return false end
  end
  for i = 1, #uids do
    local at = 13 * i - 12
    packed[2 * i - 1] = uids[i]
    packed[2 * i] = (string.sub(ARGV[12], at + 12, at + 12) == 'i' and '\3' or '\1') .. string.sub(ARGV[12], at, at + 11)
  end
  redis.call('HSET', key, unpack(packed))
  redis.call('EXPIRE', key, life)
  return true
end
