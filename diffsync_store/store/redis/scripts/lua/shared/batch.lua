-- include shared/admit

-- A batch of writes to one model.
-- KEYS: record, counts, schema, objects, pages, order, touched.
-- ARGV from 8 on: 8 number of this batch among those of the token, 9 model, 10 schema of the model, 11 'deletes', 'adds', 'puts'
-- or 'updates', 12 names of the fields in the values, 13 and 14 for each script, from 15 on unique ids for deletes, otherwise
-- pairs of id and value. There may be none: then the batch only tells the schema.
local record, counts, schema, objects, pages, order, touched = unpack(KEYS)
local token, number, model, kind = ARGV[1], tonumber(ARGV[8]), ARGV[9], ARGV[11]
local POSITION = 8 -- bytes of the position before each stored value
local is_again = false -- whether the batch failed halfway the last time

-- Returns true if two schemas of a model give comparable digests.
local function comparable(one, other)
  for child_model, field in pairs(one.children) do
    if other.children[child_model] ~= field then return false end
  end
  for child_model in pairs(other.children) do
    if not one.children[child_model] then return false end
  end
  return one.fingerprint == other.fingerprint and one.methods == other.methods
end

-- Begins the batch. Returns nil; or, if it must not be written now, a status and the unique ids of refused adds. The status is
-- 'early' if an earlier batch is missing; it is 'names' if the store has other field names, which are in place of the unique ids. A batch
-- that was written before, because its answer was lost, gets its answer again.
local function begin_batch(status)
  local of_token = redis.call('HMGET', record, 'batch:' .. token, 'refused:' .. token, 'at_work:' .. token)
  local last = tonumber(of_token[1] or 0)
  if number > last + 1 then return 'early', {} end
  if number <= last then
    local answered = of_token[2] and cmsgpack.unpack(of_token[2]) or {}
    return status, answered[1] == number and answered[2] or {}
  end
  local names = kind ~= 'deletes' and redis.call('HGET', record, 'names:' .. model)
  if names and names ~= ARGV[12] then return 'names', {names} end
  is_again = tonumber(of_token[3] or '') == number
  redis.call('HSET', record, 'at_work:' .. token, number)
  if names == false and kind ~= 'deletes' then redis.call('HSET', record, 'names:' .. model, ARGV[12]) end
  local written_as = redis.call('HGET', schema, model)
  if written_as ~= ARGV[10] then
    redis.call('HSET', schema, model, ARGV[10])
    if written_as and written_as ~= '' then
      local ok, is_comparable = pcall(function() return comparable(cjson.decode(written_as), cjson.decode(ARGV[10])) end)
      if not (ok and is_comparable) then
        redis.call('HSET', record, 'undigested', model .. ' objects were written by classes that compare differently')
      end
    end
  end
end

-- Returns the status of a batch for a shard of which the writer is not any more: 'left' if the batch was written before others came.
local function left_or(status, generation)
  if generation == '' or tonumber(redis.call('HGET', record, 'batch:' .. token) or 0) < number then return status end
  return 'left'
end

-- Calls `body` with the position and the value of each stored object of the batch's pairs, and with its id and new value.
local function each_stored(body)
  for from = 15, #ARGV, 200 do
    local uids = {}
    for at = from, math.min(from + 199, #ARGV), 2 do uids[#uids + 1] = ARGV[at] end
    local found = redis.call('HMGET', objects, unpack(uids))
    for i, uid in ipairs(uids) do body(found[i], uid, ARGV[from + 2 * i - 1]) end
  end
end

-- Writes pairs of id and value with its position.
local function set(pairs_)
  for from = 1, #pairs_, 2000 do
    redis.call('HSET', objects, unpack(pairs_, from, math.min(from + 1999, #pairs_)))
  end
end

-- Replaces the stored objects of the batch's pairs, which keep their positions. Returns the other pairs.
local function replace()
  local replaced, others = {}, {}
  each_stored(function(old, uid, value)
    local to = old and replaced or others
    to[#to + 1] = uid
    to[#to + 1] = old and string.sub(old, 1, POSITION) .. value or value
  end)
  set(replaced)
  return others
end

-- Returns the numbers in the order of all objects that were added outside of a load, of pairs of id and value: those that the
-- writer has reserved for them, or the next ones.
local function numbers_of(pairs_, reserved)
  local numbers, of_uid = {}, {}
  if reserved == '' then
    local n = #pairs_ / 2
    local last = redis.call('HINCRBY', record, 'sequence', n) - n
    for i = 1, n do numbers[i] = last + i end
    return numbers
  end
  for at = 15, #ARGV, 2 do of_uid[ARGV[at]] = struct.unpack('>I8', reserved, (at - 15) * 4 + 1) end
  for i = 1, #pairs_, 2 do numbers[#numbers + 1] = of_uid[pairs_[i]] end
  return numbers
end

-- Adds objects after all others, outside of a shard's load.
local function place(pairs_, reserved)
  if #pairs_ == 0 then return end
  local places = {}
  for i, number_ in ipairs(numbers_of(pairs_, reserved)) do
    local position = 4503599627370496 + number_ -- from 2^52 on
    places[2 * i - 1] = string.format('%.0f', position)
    places[2 * i] = pairs_[2 * i - 1]
    pairs_[2 * i] = struct.pack('>I8', position) .. pairs_[2 * i]
  end
  redis.call('ZADD', order, unpack(places)) -- first: an id without an object is no harm
  set(pairs_)
end

-- Removes objects.
local function remove(uids)
  if #uids == 0 then return end
  redis.call('HSET', record, 'removed', '1')
  redis.call('ZREM', order, unpack(uids))
  redis.call('HDEL', objects, unpack(uids))
end

-- Notes that objects may differ from the index.
local function touch(uids)
  if #uids > 0 then redis.call('SADD', touched, unpack(uids)) end
end

local function uids_of_batch()
  if kind == 'deletes' then return {unpack(ARGV, 15)} end
  local uids = {}
  for at = 15, #ARGV, 2 do uids[#uids + 1] = ARGV[at] end
  return uids
end

-- Ends the batch.
local function end_batch(refused)
  local n = redis.call('HLEN', objects)
  if n > 0 then redis.call('HSET', counts, model, n) else redis.call('HDEL', counts, model) end
  redis.call('HSET', record, 'models', redis.call('HLEN', counts),
    'keys:' .. model, redis.call('EXISTS', objects, pages, order, touched))
  keep_alive(record)
  for i = 2, #KEYS do redis.call('EXPIRE', KEYS[i], life) end
  local done = {'batch:' .. token, number, 'at_work:' .. token, ''}
  if #refused > 0 then done[5], done[6] = 'refused:' .. token, cmsgpack.pack({number, refused}) end
  redis.call('HSET', record, unpack(done))
end
