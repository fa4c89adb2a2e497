-- include shared/page

-- Reads the objects of a partition in order: those of the pages of each shard, then those that were added outside of a load.
-- KEYS: record, objects, pages, order.
-- ARGV: 1 where to start: empty, or as returned, 2 number of objects, 3 bytes after which to stop, 4 'values', 'positions', or
-- 'ids' for the ids only, 5 model.
-- Returns: where to go on, empty after the last object; ids; the field names in the values; values, which begin with the position, or
-- positions of 8 bytes. There may be no ids before the end.
local record, objects, pages, order = unpack(KEYS)
local number, most, has_values, has_positions = tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4] == 'values', ARGV[4] == 'positions'
local r = redis.call('HMGET', record, 'shards', 'removed', 'names:' .. ARGV[5])
local shards, is_removed, names = tonumber(r[1] or '') or 1, r[2], r[3] or ''
local ids, values, size, seen = {}, {}, 0, 0

local function is_full() return seen >= number or size >= most end

-- Takes those of these ids that are stored, with these positions, or that of the first one; nil where they are not checked.
local function take(some, first, positions)
  seen = seen + #some
  if not has_values and not (is_removed and first) then
    for i = 1, #some do
      ids[#ids + 1] = some[i]
      if has_positions then values[#values + 1] = struct.pack('>I8', positions and positions[i] or first + i - 1) end
    end
    return
  end
  local found = redis.call('HMGET', objects, unpack(some))
  for i = 1, #some do
    local value = found[i]
    size = size + (value and #value or 0)
    local at = value and string.sub(value, 1, 8)
    if value and not (is_removed and first and at ~= struct.pack('>I8', positions and positions[i] or first + i - 1)) then
      ids[#ids + 1] = some[i]
      if has_values then values[#values + 1] = value elseif has_positions then values[#values + 1] = at end
    end
  end
end

-- Takes the ids of a page after the first `index` ones; returns how many of the page are taken then, and how many it has.
local function take_page(page, index)
  local first, all, positions = first_of(page), ids_of(page), positions_of(page)
  while index < #all and not is_full() do
    local to = math.min(index + 100, #all)
    local some = {unpack(all, index + 1, to)}
    take(some, first + index, positions and {unpack(positions, index + 1, to)})
    index = index + #some
  end
  return index, #all
end

local shard, page, index = string.match(ARGV[1], '^(%d+):(%d+):(%d+)$')
if shard or ARGV[1] == '' then
  shard, page, index = tonumber(shard or 0), tonumber(page or 0), tonumber(index or 0)
  while shard < shards and not is_full() do
    local text, of_page = redis.call('HGET', pages, shard .. ':' .. page), 0
    if text then
      index, of_page = take_page(text, index)
      if index == of_page then page, index = page + 1, 0 end
    elseif shard + 1 == shards and seen > 0 then
      break -- the shard may go on until the next call
    else
      shard, page, index = shard + 1, 0, 0
    end
  end
  if seen > 0 then return {table.concat({shard, page, index}, ':'), ids, names, values} end
end
local from = string.match(ARGV[1], '^after (%d+)$')
local found = redis.call('ZRANGEBYSCORE', order, from and '(' .. from or '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, number)
local go_on = ''
for i = 1, #found, 200 do
  local some, positions = {}, {}
  for k = i, math.min(i + 199, #found), 2 do some[#some + 1], positions[#positions + 1] = found[k], tonumber(found[k + 1]) end
  take(some, nil, positions)
  go_on = 'after ' .. string.format('%.0f', tonumber(found[i + 2 * #some - 1]))
  if is_full() then break end
end
return {go_on, ids, names, values}
