"""The Lua that keeps, inside Redis, a digest of what stands below each object, and reads it.

Each object has a *node*: its own digest, what the digests at and below it come to, and which objects list it as child.
A write changes the node of its object, and what changes there goes up through the parents to the top. Sums do this:
a change of a digest is the same change of every sum above it, so the cost is the depth of the tree.

At and below an object come together, for its parents to take in:

    x, y    the sum of the digests, in two lanes modulo 2^48
    n       objects that a diff counts
    k       objects that a diff skips because of their flags, with all below them
    m       children that are listed and not there

Objects of the top models are in buckets by a hash of their unique id, each bucket with the sum of its objects, so that
two stores compare buckets first. The record says so when digests cannot be trusted: where objects of one model were
written by classes that compare differently, or stand below themselves.
"""

from diffsync_store.store.digest import SIZE
from diffsync_store.store.redis.scripts.script import Script

BUCKETS = 16384
"""Sixty objects a bucket at a million."""

NODE_SIZE = SIZE + 12
"""Bytes of what scripts answer of a node: x and y, then n, k, m with four bytes each."""

_NODES = """
local space = string.sub(KEYS[1], 1, -7) -- the record's key without 'record'

-- x and y, n, k, m of a packed node as its parents take it in; nothing of an object that is not there.
local function answer(packed)
  local kind = packed and string.byte(packed) or 0
  if kind == 1 then return string.sub(packed, 2, 13) .. '\\0\\0\\0\\1\\0\\0\\0\\0\\0\\0\\0\\0' end
  if kind == 5 then return string.sub(packed, 14, 37) end
  if kind == 3 or kind == 7 then return string.sub(packed, 2, 13) .. '\\0\\0\\0\\0\\0\\0\\0\\1\\0\\0\\0\\0' end
  return string.rep('\\0', 24)
end
"""

KEEP_TREE = (
    _NODES
    + """
local LANE = 281474976710656 -- 2^48
local STEPS = 1000000 -- upwards in one batch: more than any tree takes
local nodes, touched, schemas, tops, steps = {}, {}, {}, {}, 0

local function unpack_node(packed)
  local node = {present = false, ignored = false, a = 0, b = 0, x = 0, y = 0, n = 0, k = 0, m = 0, parents = {}}
  if packed == '' then return node end
  local kind, at = string.byte(packed), 2
  node.present, node.ignored = kind % 2 == 1, kind % 4 >= 2
  if node.present then
    node.a, node.b, at = struct.unpack('>I6I6', packed, at)
    node.x, node.y, node.n = node.a, node.b, 1
  end
  if kind >= 4 then node.x, node.y, node.n, node.k, node.m, at = struct.unpack('>I6I6I4I4I4', packed, at) end
  while at <= #packed do
    local model, uid
    model, uid, at = struct.unpack('>Hc0Ic0', packed, at)
    node.parents[#node.parents + 1] = {model, uid}
  end
  return node
end

local function pack_parent(model, uid)
  return struct.pack('>Hc0Ic0', #model, model, #uid, uid)
end

local function pack_node(node)
  local kind, parts = 0, {''}
  if node.present then
    kind = node.ignored and 3 or 1
    parts[2] = struct.pack('>I6I6', node.a, node.b)
  end
  if node.x ~= node.a or node.y ~= node.b or node.n ~= kind % 2 or node.k > 0 or node.m > 0 then
    kind = kind + 4
    parts[#parts + 1] = struct.pack('>I6I6I4I4I4', node.x, node.y, node.n, node.k, node.m)
  end
  for _, parent in ipairs(node.parents) do parts[#parts + 1] = pack_parent(parent[1], parent[2]) end
  if kind == 0 and #parts == 1 then return nil end
  parts[1] = string.char(kind)
  return table.concat(parts)
end

local function in_pieces(list, size, body)
  for from = 1, #list, size do body(from, math.min(from + size - 1, #list)) end
end

-- Nodes are known as they are packed, '' for none, and unpacked when there is need.
local function gather(model, uids)
  local known = nodes[model]
  if not known then
    known = {}
    nodes[model], touched[model] = known, {}
  end
  local missing = {}
  for _, uid in ipairs(uids) do
    if not known[uid] then
      known[uid] = ''
      missing[#missing + 1] = uid
    end
  end
  in_pieces(missing, 1000, function(from, to)
    local found = redis.call('HMGET', space .. 'tree:' .. model, unpack(missing, from, to))
    for i = from, to do known[missing[i]] = found[i - from + 1] or '' end
  end)
  return known
end

local function node_of(model, uid)
  if not (nodes[model] and nodes[model][uid]) then gather(model, {uid}) end
  local node = nodes[model][uid]
  if type(node) == 'string' then
    node = unpack_node(node)
    nodes[model][uid] = node
  end
  touched[model][uid] = true
  return node
end

local function packed_of(model, uid, packed)
  nodes[model][uid] = packed
  touched[model][uid] = true
end

local function schema_of(model)
  if not schemas[model] then
    local text = redis.call('HGET', space .. 'schema', model)
    schemas[model] = text and text ~= '' and cjson.decode(text) or {}
  end
  return schemas[model]
end

-- Whether two shapes of a model give comparable digests in the same places.
local function alike(one, other)
  for child_model, field in pairs(one.children) do
    if other.children[child_model] ~= field then return false end
  end
  for child_model in pairs(other.children) do
    if not one.children[child_model] then return false end
  end
  return one.fingerprint == other.fingerprint and one.methods == other.methods and one.is_top == other.is_top
end

-- What a node brings to each of its parents: x, y, n, k, m.
local function brought(node)
  if not node.present then return 0, 0, 0, 0, 1 end
  if node.ignored then return node.a, node.b, 0, 1, 0 end
  return node.x, node.y, node.n, node.k, node.m
end

-- From now on digests say nothing, until the store is loaded anew.
local function distrust(reason)
  redis.call('HSET', KEYS[1], 'undigested', reason)
end

local change

-- Tells the parents, and the bucket, of what a node brings now and brought before; the bucket takes in nothing of an object
-- that is not there.
local function lift(model, uid, node, was_present, x, y, n, k, m)
  local nx, ny, nn, nk, nm = brought(node)
  local dx, dy, dn, dk, dm = (nx - x) % LANE, (ny - y) % LANE, nn - n, nk - k, nm - m
  local changed = dx ~= 0 or dy ~= 0 or dn ~= 0 or dk ~= 0 or dm ~= 0
  if changed then
    node.is_telling = true
    for _, parent in ipairs(node.parents) do change(parent[1], parent[2], dx, dy, dn, dk, dm) end
    node.is_telling = false
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

-- Something below a node has changed.
change = function(model, uid, dx, dy, dn, dk, dm)
  local node = node_of(model, uid)
  steps = steps + 1
  if node.is_telling or steps > STEPS then return distrust(model .. ' objects stand below themselves') end
  local x, y, n, k, m = brought(node)
  node.x, node.y = (node.x + dx) % LANE, (node.y + dy) % LANE
  node.n, node.k, node.m = node.n + dn, node.k + dk, node.m + dm
  lift(model, uid, node, node.present, x, y, n, k, m)
end

local function take_in(node, sign, child)
  local x, y, n, k, m = brought(child)
  node.x, node.y = (node.x + sign * x) % LANE, (node.y + sign * y) % LANE
  node.n, node.k, node.m = node.n + sign * n, node.k + sign * k, node.m + sign * m
end

-- The children that an object lists: {child model: {uid: true}}.
local function listed(model, value)
  local found = {}
  if not value then return found end
  local line = string.match(value, '^[^\\n]*')
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
        if type(uid) ~= 'userdata' and type(uid) ~= 'table' then uids[tostring(uid)] = true end -- a table is no Unicode
      end
    end
  end
  return found
end

local function each_missing(from, of, body)
  for child_model, uids in pairs(from) do
    local others = of[child_model] or {}
    for uid in pairs(uids) do
      if not others[uid] then body(child_model, uid) end
    end
  end
end

local function relink(model, uid, node, old, new)
  each_missing(old, new, function(child_model, child_uid)
    local child = node_of(child_model, child_uid)
    take_in(node, -1, child)
    for i, parent in ipairs(child.parents) do
      if parent[1] == model and parent[2] == uid then
        table.remove(child.parents, i)
        break
      end
    end
  end)
  if new[model] and new[model][uid] then distrust(model .. ' objects stand below themselves') end
  local as_parent = pack_parent(model, uid)
  each_missing(new, old, function(child_model, child_uid)
    local packed = nodes[child_model][child_uid]
    if type(packed) == 'string' and #packed == 13 and string.byte(packed) == 1 then -- a leaf that nobody has listed yet
      local a, b = struct.unpack('>I6I6', packed, 2)
      node.x, node.y, node.n = (node.x + a) % LANE, (node.y + b) % LANE, node.n + 1
      packed_of(child_model, child_uid, packed .. as_parent)
    else
      local child = node_of(child_model, child_uid)
      take_in(node, 1, child)
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

-- Objects of a model are about to be written or removed. `values` and `digests`, by unique id, are of what is written.
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
      packed_of(model, uid, (string.sub(digest, 13) == 'i' and '\\3' or '\\1') .. string.sub(digest, 1, 12))
    else
      local node = node_of(model, uid)
      local was_present = node.present
      local x, y, n, k, m = brought(node)
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
      lift(model, uid, node, was_present, x, y, n, k, m)
    end
  end
end

-- The same for all pairs of ARGV where their unique ids are new to the store; false where it has to be done one by one. Leaves
-- that nobody lists need no more than their digests.
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
    packed[2 * i] = (string.sub(ARGV[12], at + 12, at + 12) == 'i' and '\\3' or '\\1') .. string.sub(ARGV[12], at, at + 11)
  end
  redis.call('HSET', key, unpack(packed))
  redis.call('EXPIRE', key, life)
  return true
end

-- The unique ids of a bucket as they are kept, changed by {uid: 1 for one that came, -1 for one that went}.
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
    redis.call('HSETNX', space .. 'schema', model, '') -- children that are listed before any is written
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
"""
)
"""Defines `keep_tree` and `keep_new_leaves`, to be called before objects are written or removed, and `save_tree`, at the end.

KEYS[1] is the record, `life` the seconds to live.
"""

SUBTREES = Script(
    _NODES
    + """
-- KEYS: record. ARGV: model, unique ids. Answers: for each, in one string, x, y, n, k, m; zeros where it is not there.
local key, parts = space .. 'tree:' .. ARGV[1], {}
for from = 2, #ARGV, 1000 do
  local found = redis.call('HMGET', key, unpack(ARGV, from, math.min(from + 999, #ARGV)))
  for i = 1, #found do parts[#parts + 1] = answer(found[i]) end
end
return table.concat(parts)
"""
)

SUMS = Script(
    _NODES
    + """
-- KEYS: record. ARGV: model. Answers: n, k, m over all top objects, then bucket and sum of each bucket, in one string;
-- nothing where a part is lost.
local sums = space .. 'sums:' .. ARGV[1]
local found, parts, totals = redis.call('HGETALL', sums), {}, {n = 0, k = 0, m = 0}
for i = 1, #found, 2 do
  if totals[found[i]] then
    totals[found[i]] = tonumber(found[i + 1])
  else
    parts[#parts + 1] = struct.pack('>H', tonumber(found[i])) .. found[i + 1]
  end
end
if redis.call('HLEN', space .. 'members:' .. ARGV[1]) ~= #parts then return {} end
if #parts == 0 and redis.call('EXISTS', space .. 'objects:' .. ARGV[1]) == 1 then return {} end
return {totals.n, totals.k, totals.m, table.concat(parts)}
"""
)

MEMBERS = Script(
    _NODES
    + """
-- KEYS: record. ARGV: model, buckets. Answers: of each object in them, in one string, the length of its unique id, that,
-- and x, y, n, k, m.
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
"""
)
