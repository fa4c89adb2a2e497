-- include subtree_digests/nodes

local LANE = 281474976710656 -- 2^48
local STEPS = 1000000 -- limit of updates of ancestors in one batch; only a cycle exceeds it
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

-- Reads nodes into `nodes`, packed, '' for none; they are unpacked on demand.
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

local function set_packed(model, uid, packed)
  nodes[model][uid] = packed
  touched[model][uid] = true
end
