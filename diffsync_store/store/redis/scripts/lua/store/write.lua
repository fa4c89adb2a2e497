-- include shared/admit
-- include subtree_digests/save

-- KEYS: record, counts, schema, objects, order.
-- ARGV: 7 epoch in which the writer knew that the adds are new, or empty, 8 number of this batch among those of the token,
--       9 model, 10 schema of the model, 11 'deletes', 'adds', 'puts' or 'updates', 12 digests of the objects, each 12 bytes and
--       'i' (ignored by a diff) or '-', from 13 on unique ids for deletes, otherwise pairs of id and value.
-- Returns: status, epoch, generation, unique ids of adds that were refused. The status is 'early' if an earlier batch is
-- missing. A batch that was written before, because its answer was lost, returns the same answer again.
local record, counts, schema, objects, order = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local status, epoch, generation = admit(record)
if status ~= 'exclusive' and status ~= 'shared' then return {status, epoch, generation, {}} end
local of_token = redis.call('HMGET', record, 'batch:' .. ARGV[1], 'refused:' .. ARGV[1], 'at_work:' .. ARGV[1])
local last, number = tonumber(of_token[1] or 0), tonumber(ARGV[8])
if number > last + 1 then return {'early', epoch, generation, {}} end
if number <= last then
  local answered = of_token[2] and cmsgpack.unpack(of_token[2]) or {}
  return {status, epoch, generation, answered[1] == number and answered[2] or {}}
end
redis.call('HSET', record, 'at_work:' .. ARGV[1], number)
local is_again = tonumber(of_token[3] or '') == number -- it failed halfway the last time
local model, kind, refused = ARGV[9], ARGV[11], {}
local digested = not redis.call('HGET', record, 'undigested')

-- Runs a step that updates the digests; if it fails, digests are no longer kept.
local function for_digests(body)
  if not digested then return end
  local ok, why = pcall(body)
  if not ok then distrust('they cannot be kept: ' .. tostring(type(why) == 'table' and why.err or why)) end
  digested = ok and not redis.call('HGET', record, 'undigested')
end

if is_again then for_digests(function() error('a batch of ' .. model .. ' objects failed halfway', 0) end) end
local written_as = redis.call('HGET', schema, model)
if written_as ~= ARGV[10] then
  redis.call('HSET', schema, model, ARGV[10])
  for_digests(function()
    if written_as and written_as ~= '' and not comparable(cjson.decode(written_as), schema_of(model)) then
      distrust(model .. ' objects were written by classes that compare differently')
    end
  end)
end

-- Updates the digests for the pairs whose id is `wanted`; for all pairs without it.
local function keep_pairs(wanted)
  local uids, values, digests = {}, {}, {}
  for at = 13, #ARGV, 2 do
    local uid = ARGV[at]
    if not wanted or wanted(uid) then
      uids[#uids + 1] = uid
      values[uid] = ARGV[at + 1]
      local from = (at - 13) / 2 * 13 + 1
      digests[uid] = string.sub(ARGV[12], from, from + 12)
    end
  end
  keep_tree(model, uids, values, digests)
end

-- Orders these ids after all others; an id that has a position keeps it.
local function place(uids)
  local first = redis.call('HINCRBY', record, 'sequence', #uids) - #uids
  local places = {}
  for i = 1, #uids do
    places[2 * i - 1] = first + i
    places[2 * i] = uids[i]
  end
  redis.call('ZADD', order, 'NX', unpack(places))
end

local function ids_of_pairs()
  local uids = {}
  for at = 13, #ARGV, 2 do uids[#uids + 1] = ARGV[at] end
  return uids
end

local function is_there(uid) return redis.call('HEXISTS', objects, uid) == 1 end

if kind == 'deletes' then
  for_digests(function() keep_tree(model, {unpack(ARGV, 13)}, {}, {}) end)
  redis.call('HDEL', objects, unpack(ARGV, 13))
  redis.call('ZREM', order, unpack(ARGV, 13))
elseif kind == 'puts' or (kind == 'adds' and status == 'exclusive' and epoch == ARGV[7]) then
  local uids = ids_of_pairs()
  for_digests(function()
    if kind == 'puts' or not keep_new_leaves(model, uids) then keep_pairs() end
  end)
  redis.call('HSET', objects, unpack(ARGV, 13))
  place(uids)
elseif kind == 'adds' then
  for_digests(function() keep_pairs(function(uid) return not is_there(uid) end) end)
  for at = 13, #ARGV, 2 do
    local is_new = redis.call('HSETNX', objects, ARGV[at], ARGV[at + 1]) == 1
    if is_new or (is_again and redis.call('HGET', objects, ARGV[at]) == ARGV[at + 1]) then
      place({ARGV[at]})
    else
      refused[#refused + 1] = ARGV[at]
    end
  end
else
  for_digests(function() keep_pairs(is_there) end)
  for at = 13, #ARGV, 2 do
    if is_there(ARGV[at]) then redis.call('HSET', objects, ARGV[at], ARGV[at + 1]) end
  end
end

local n = redis.call('HLEN', objects)
if n > 0 then redis.call('HSET', counts, model, n) else redis.call('HDEL', counts, model) end
redis.call('HSET', record, 'models', redis.call('HLEN', counts))
for_digests(save_tree)
keep_alive(record)
for i = 2, #KEYS do redis.call('EXPIRE', KEYS[i], life) end
local done = {'batch:' .. ARGV[1], number, 'at_work:' .. ARGV[1], ''}
if #refused > 0 then
  done[5], done[6] = 'refused:' .. ARGV[1], cmsgpack.pack({number, refused})
end
redis.call('HSET', record, unpack(done))
return {status, epoch, generation, refused}
