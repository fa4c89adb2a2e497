local LEVELS = 20 -- of the sums of an index
local OBJECTS, OF_SHARD = {'objects', 'order', 'pages', 'touched'}, {'index', 'edges'}
local UNTIL_SEALED = {'shardsums', 'open', 'twice'} -- of a shard, as long as its load is not sealed
local OLD = {'tree', 'members'} -- of stores of earlier versions, which also had sums:MODEL

-- Calls `body` with each key that a model of a store may have, and with true if it is one of its index.
local function each_key_of(space, model, shards, body)
  for _, kind in ipairs(OBJECTS) do body(space .. kind .. ':' .. model, false) end
  body(space .. 'adding:' .. model, false)
  for shard = 0, shards - 1 do
    for _, kind in ipairs(OF_SHARD) do body(space .. kind .. ':' .. shard .. ':' .. model, true) end
    for _, kind in ipairs(UNTIL_SEALED) do body(space .. kind .. ':' .. shard .. ':' .. model, false) end
  end
  for level = 0, LEVELS do body(space .. 'sums:' .. level .. ':' .. model, true) end
  body(space .. 'nodes:' .. model, true)
  body(space .. 'totals:' .. model, true)
end

-- Calls `body` with each key that a store may have besides its record.
local function each_key(record, body)
  local space = string.sub(record, 1, -7) -- the key without 'record'
  local r = redis.call('HMGET', record, 'shards', 'layout')
  local shards, models = tonumber(r[1] or '') or 1, {}
  for _, kind in ipairs({'schema', 'counts'}) do -- one of them may be lost
    for _, model in ipairs(redis.call('HKEYS', space .. kind)) do models[model] = true end
  end
  for model in pairs(models) do
    each_key_of(space, model, shards, body)
    if r[2] == '1' then
      for _, kind in ipairs(OLD) do body(space .. kind .. ':' .. model, false) end
      body(space .. 'sums:' .. model, false)
    end
  end
  for _, kind in ipairs({'shards', 'schema', 'counts'}) do body(space .. kind, false) end -- after what they name
end

-- Returns how many keys the index of a store has.
local function index_size(record)
  local keys, size = {}, 0
  each_key(record, function(key, is_index) if is_index then keys[#keys + 1] = key end end)
  for from = 1, #keys, 1000 do size = size + redis.call('EXISTS', unpack(keys, from, math.min(from + 999, #keys))) end
  return size
end
