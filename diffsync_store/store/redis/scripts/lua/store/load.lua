-- include shared/batch

-- Writes a batch to the writer's shard, whose unique ids only the writer knows: adds are not checked.
-- Of a load in shards, objects that another shard has loaded are kept apart until the seal, which refuses or resolves them.
-- KEYS as for each batch, 8 twice, of a load in shards. ARGV as for each batch, values of adds with their positions; 13 number of
-- the page, 14 page, both of adds.
-- Returns: status, epoch, generation, unique ids of adds that another shard has loaded. The batch was written if the status is 'loading'
-- or 'leaving'; if it is 'exclusive' or 'shared', other writers have come, and the batch must be written outside of the shard.
local status, epoch, generation = admit(record)
if status ~= 'loading' and status ~= 'leaving' then
  return {left_or(status, generation), epoch, generation, {}}
end
local answer, refused = begin_batch(status)
if answer then return {answer, epoch, generation, refused} end
local twice = redis.call('HEXISTS', record, 'plan') == 1 and KEYS[8] or nil
local elsewhere = {}

-- Finds which of these ids are stored, and belong to another shard; and which are kept apart, also if the other shard has given them up.
local function find_elsewhere(uids)
  local has_apart = kind ~= 'adds' and redis.call('EXISTS', twice) == 1
  for from = 1, #uids, 500 do
    local to = math.min(from + 499, #uids)
    local found = redis.call('HMGET', objects, unpack(uids, from, to))
    local apart = has_apart and redis.call('HMGET', twice, unpack(uids, from, to)) or {}
    for i = 1, #found do
      local is_other = found[i] and math.floor(struct.unpack('>I8', found[i]) / 1099511627776) ~= tonumber(ARGV[7])
      if is_other or apart[i] then
        elsewhere[#elsewhere + 1] = uids[from + i - 1]
        elsewhere[elsewhere[#elsewhere]] = true
      end
    end
  end
end

-- Writes the objects of the batch that belong to another shard apart, and takes them out of the batch.
local function set_apart()
  local items = {}
  redis.call('HSET', record, 'removed', '1') -- the page names them
  for at = 15, #ARGV, kind == 'deletes' and 1 or 2 do
    local uid, value = ARGV[at], ARGV[at + 1]
    local mine = elsewhere[uid] and redis.call('HGET', twice, uid)
    if not elsewhere[uid] then
      items[#items + 1] = uid
      if kind ~= 'deletes' then items[#items + 1] = value end
    elseif kind == 'deletes' then
      redis.call('HDEL', twice, uid)
    elseif kind == 'adds' then
      redis.call('HSET', twice, uid, value)
    elseif mine then
      redis.call('HSET', twice, uid, string.sub(mine, 1, POSITION) .. value)
    end
  end
  for i = #ARGV, 15, -1 do ARGV[i] = nil end
  for i = 1, #items do ARGV[14 + i] = items[i] end
end

if twice then find_elsewhere(uids_of_batch()) end
if #elsewhere > 0 then set_apart() end
if #ARGV < 15 then
  -- all of its objects belong to other shards
elseif kind == 'adds' then
  redis.call('HSET', objects, unpack(ARGV, 15))
end
if kind == 'adds' then
  redis.call('HSET', pages, ARGV[7] .. ':' .. ARGV[13], ARGV[14])
elseif kind == 'deletes' and #ARGV >= 15 then
  remove(uids_of_batch())
elseif kind ~= 'deletes' then
  replace()
end
local refused_adds = kind == 'adds' and {unpack(elsewhere)} or {}
end_batch(refused_adds)
return {status, epoch, generation, refused_adds}
