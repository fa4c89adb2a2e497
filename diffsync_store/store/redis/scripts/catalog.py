"""The Lua that runs inside Redis: each script is one atomic step of a store's life.

The texts are constants; data reaches them as arguments only.

How writers share a store. One writer at a time may be *exclusive*: it holds a short lease, knows every unique id in the
store, and may therefore buffer what it adds, because it can refuse a duplicate by itself. A second writer that turns up
while the lease lives asks for sharing and waits. The first learns of it by the answer to its next batch, which it reads,
where that was sent ahead, with the one after it: what it adds until then is checked as that one is written. From then on
every `add` of either is checked inside Redis. A lease that its holder let lapse is taken over. Whenever the store is written
by somebody else than before, its `epoch` grows, so that a writer whose knowledge has gone stale notices, and its
buffered objects are checked one by one.

`generation` changes with each load: a writer of an earlier one is refused, however late it wakes up.

Each writer numbers its batches, and the record has the number of the last one that was written: a batch that is sent again
because its answer was lost gets its answer and is not written twice, and one that comes without those before it, which Redis
or the network has lost, is refused.

A script is atomic towards others, but an error in its midst undoes nothing of it. Each does its work first and says last that it
is done, and may be run again: `WRITE` says in the record that it is at work, so that a store in which it has failed is not
taken for complete until it was run again. Digests are worth no failure: where they cannot be kept, the record says so.
"""

from __future__ import annotations

from diffsync_store.store.redis.scripts.script import Script
from diffsync_store.store.redis.scripts.subtree_digests import KEEP_TREE

_FENCED = """
-- The owner of a newer lease than the one that the writer's token, ARGV 1, names behind a colon, or nil.
local function fenced(record)
  local own = tonumber(string.match(ARGV[1], ':(%d+)$'))
  if not own then return nil end
  local lease = redis.call('HMGET', string.sub(record, 1, -7) .. 'lease', 'token', 'owner') -- the key without 'record'
  if lease[1] and tonumber(lease[1]) > own then return lease[2] or '' end
  return nil
end
"""

STAMP = """
-- The server's time in ms since 1970, to the microsecond: no worker's clock says which of two things was first.
local function stamp()
  local t = redis.call('TIME')
  return string.format('%.0f.%03d', t[1] * 1000 + math.floor(t[2] / 1000), t[2] % 1000)
end
"""

_NOW = STAMP + "return stamp()\n"

LOAD_LIFE = 3600
"""Seconds that a store lives at the least while it is loaded, also where the load pauses for longer than its time to live."""

_LIVE_ON = """
-- Begins the time to live of all of a store anew. The record comes first, so that nothing of it outlives the rest.
local function live_on(record, seconds)
  local space = string.sub(record, 1, -7) -- the record's key without 'record'
  redis.call('EXPIRE', record, seconds)
  redis.call('EXPIRE', space .. 'schema', seconds)
  redis.call('EXPIRE', space .. 'counts', seconds)
  for _, model in ipairs(redis.call('HKEYS', space .. 'schema')) do
    for _, kind in ipairs({'objects', 'order', 'tree', 'sums', 'members'}) do
      redis.call('EXPIRE', space .. kind .. ':' .. model, seconds)
    end
  end
end
"""

_ADMIT = (
    _FENCED
    + STAMP
    + _LIVE_ON
    + """
local life = tonumber(ARGV[6]) -- seconds, longer during a load

-- For who has written: all of the store lives on, in one go, when a tenth of its time has passed.
local function keep_alive(record)
  local left = redis.call('TTL', record)
  if left < life * 0.9 or left > life then live_on(record, life) end
end

local function milliseconds()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Lets a writer in: 'exclusive', 'shared', or why not: 'wait', 'replaced', 'gone', 'fenced'. ARGV 1 to 6 are the same everywhere:
-- token, generation, a fresh generation, lease in ms, writer's name, seconds to live.
local function admit(record)
  local token, generation, lease = ARGV[1], ARGV[2], tonumber(ARGV[4])
  local r = redis.call('HMGET', record, 'generation', 'token', 'until', 'shared', 'epoch', 'hold')
  life = math.max(life, tonumber(r[6] or '') or 0)
  local now, newer = milliseconds(), fenced(record)
  if newer then return 'fenced', newer, '' end
  if not r[1] then
    if generation ~= '' then return 'gone', '', '' end
    redis.call('HSET', record, 'generation', ARGV[3], 'state', 'loading', 'created', stamp(), 'layout', '1')
    redis.call('EXPIRE', record, life)
    r = {ARGV[3], false, false, false, '0'}
  elseif generation ~= '' and generation ~= r[1] then
    return 'replaced', '', ''
  end
  local mine = r[2] == token
  if not mine and r[3] and tonumber(r[3]) > now then
    redis.call('HSET', record, 'shared', '1')
    return 'wait', '', ''
  end
  local epoch = r[5]
  if not mine then epoch = tostring(redis.call('HINCRBY', record, 'epoch', 1)) end
  local status, till = 'exclusive', now + lease
  if r[4] then status, till = 'shared', 0 end
  redis.call('HSET', record, 'token', token, 'until', till, 'updated', stamp(), 'writer', ARGV[5], 'ttl', ARGV[6])
  return status, epoch, r[1]
end
"""
)

_ACQUIRE = (
    _ADMIT
    + """
-- KEYS: record, objects. Answers: status, epoch, generation, number of objects.
local number = redis.call('HLEN', KEYS[2])
local status, epoch, generation = admit(KEYS[1])
if status == 'exclusive' or status == 'shared' then keep_alive(KEYS[1]) end
return {status, epoch, generation, number}
"""
)

_WRITE = (
    _ADMIT
    + KEEP_TREE
    + """
-- KEYS: record, counts, schema, objects, order.
-- ARGV: 7 epoch in which the writer knew that the adds are new, or nothing, 8 number of this batch among those of the token,
--       9 model, 10 schema of the model, 11 'deletes', 'adds', 'puts' or 'backs', 12 the digests of the objects, each 12 bytes
--       and 'i' or '-' for whether it is to be ignored, from 13 on unique ids for deletes, pairs of id and value else.
-- Answers: status, epoch, generation, the unique ids that an add was refused for. The status is 'early' where a batch of an
-- earlier number was not written. A batch that was written already, when its answer was lost, gets its answer again.
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
local is_again = tonumber(of_token[3] or '') == number -- it failed in its midst the last time
local model, kind, refused = ARGV[9], ARGV[11], {}
local digested = not redis.call('HGET', record, 'undigested')

-- Does something for the digests; where it fails they are kept no longer.
local function for_digests(body)
  if not digested then return end
  local ok, why = pcall(body)
  if not ok then distrust('they cannot be kept: ' .. tostring(type(why) == 'table' and why.err or why)) end
  digested = ok and not redis.call('HGET', record, 'undigested')
end

if is_again then for_digests(function() error('a batch of ' .. model .. ' objects has failed in its midst', 0) end) end
local written_as = redis.call('HGET', schema, model)
if written_as ~= ARGV[10] then
  redis.call('HSET', schema, model, ARGV[10])
  for_digests(function()
    if written_as and written_as ~= '' and not alike(cjson.decode(written_as), schema_of(model)) then
      distrust(model .. ' objects were written by classes that compare differently')
    end
  end)
end

-- The digests of those of the pairs that are `wanted`, of all without it.
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

-- Orders these ids behind everything that is there; what has a place keeps it.
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
"""
)

_RELEASE = """
-- KEYS: record. ARGV: token. Gives the lease back, so that the next writer need not wait for its end.
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('HSET', KEYS[1], 'until', 0) end
return 1
"""

_SERVER = """
-- Another one after a restart, or when a replica has taken the place of its master.
local function server()
  return string.match(redis.call('INFO', 'server'), 'run_id:(%w+)') or ''
end
"""

_BEGIN = (
    _ADMIT
    + _SERVER
    + """
-- KEYS: record, counts, schema. ARGV: from 7 on what the keys of a model begin with.
-- Empties the store and begins a new generation, unless another load is alive. Answers: status, name of the writer in the way.
local newer = fenced(KEYS[1])
if newer then return {'fenced', newer} end
local r = redis.call('HMGET', KEYS[1], 'token', 'until', 'writer')
if r[1] and r[1] ~= ARGV[1] and tonumber(r[2] or 0) > milliseconds() then return {'wait', r[3]} end
local models = redis.call('HKEYS', KEYS[3])
for _, model in ipairs(redis.call('HKEYS', KEYS[2])) do models[#models + 1] = model end -- the schema may have been lost
for _, model in ipairs(models) do -- first: the record tells of what it has lost
  for i = 7, #ARGV do redis.call('UNLINK', ARGV[i] .. model) end
end
redis.call('DEL', KEYS[3], KEYS[2], KEYS[1])
life = math.max(life, LOAD_LIFE)
local now = milliseconds()
redis.call('HSET', KEYS[1], 'hold', life, 'generation', ARGV[3], 'state', 'loading', 'created', stamp(), 'updated', stamp(), 'layout', '1',
  'token', ARGV[1], 'until', now + tonumber(ARGV[4]), 'writer', ARGV[5], 'ttl', ARGV[6], 'epoch', '1', 'server', server())
redis.call('EXPIRE', KEYS[1], life)
return {'exclusive', ''}
"""
).replace("LOAD_LIFE", str(LOAD_LIFE))

_MARK = (
    _FENCED
    + _SERVER
    + STAMP
    + _LIVE_ON
    + """
-- KEYS: record. ARGV: token, generation, seconds to live, then pairs of field and value. Writes facts about the store into its
-- record; with a state a load has ended, and the store lives on for as long as it is to live without use.
-- A load does not end well on another server than it began on: what Redis had answered may be missing there.
if fenced(KEYS[1]) then return 'fenced' end
local r = redis.call('HMGET', KEYS[1], 'generation', 'state', 'server')
if not r[1] then return 'gone' end
if r[1] ~= ARGV[2] then return 'replaced' end
local ends = false
for i = 4, #ARGV, 2 do
  ends = ends or ARGV[i] == 'state'
  local ends_well = ARGV[i] == 'state' and ARGV[i + 1] ~= 'failed'
  if ends_well and r[2] == 'loading' and r[3] and r[3] ~= server() then return 'moved' end
end
if ends then live_on(KEYS[1], ARGV[3]) end
redis.call('HSET', KEYS[1], 'updated', stamp(), unpack(ARGV, 4))
return 'done'
"""
)

_VALUES = """
-- Values of ids in their order, until they are more than `most` bytes: then not of all ids.
local function values_of(objects, ids, first, most)
  local values, size = {}, 0
  for from = first, #ids, 100 do
    local found = redis.call('HMGET', objects, unpack(ids, from, math.min(from + 99, #ids)))
    for i = 1, #found do
      values[#values + 1] = found[i]
      size = size + (found[i] and #found[i] or 0)
    end
    if size >= most then break end
  end
  return values
end
"""

_FETCH = (
    _VALUES
    + """
-- KEYS: objects. ARGV: bytes after which to stop, ids. Answers: values of the first ids, of at least one.
return values_of(KEYS[1], ARGV, 2, tonumber(ARGV[1]))
"""
)

_READ = (
    _VALUES
    + """
-- KEYS: objects, order. ARGV: place to go on after, how many, bytes after which to stop.
-- Answers: the last place read, ids, values.
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])
if #ids == 0 then return {ARGV[1], {}, {}} end
local values = values_of(KEYS[1], ids, 1, tonumber(ARGV[3]))
for i = #ids, #values + 1, -1 do ids[i] = nil end
return {redis.call('ZSCORE', KEYS[2], ids[#ids]), ids, values}
"""
)


_RECORD = """
-- KEYS: record, counts, schema.
-- Answers: the record, the counts, the schema, and as pairs of model and number how many objects there really are.
local space = string.sub(KEYS[1], 1, -7) -- the record's key without 'record'
local counts, schemas = redis.call('HGETALL', KEYS[2]), redis.call('HGETALL', KEYS[3])
local is_top, found = {}, {}
for i = 1, #schemas, 2 do
  if schemas[i + 1] ~= '' then is_top[schemas[i]] = cjson.decode(schemas[i + 1]).is_top end
end
local digested = redis.call('HEXISTS', KEYS[1], 'undigested') == 0
for i = 1, #counts, 2 do
  local model = counts[i]
  local there = math.min(redis.call('HLEN', space .. 'objects:' .. model), redis.call('ZCARD', space .. 'order:' .. model))
  if digested then there = math.min(there, redis.call('HLEN', space .. 'tree:' .. model)) end
  local in_buckets = redis.call('EXISTS', space .. 'sums:' .. model) + redis.call('EXISTS', space .. 'members:' .. model)
  if digested and is_top[model] and in_buckets < 2 then there = 0 end
  found[i], found[i + 1] = model, there
end
return {redis.call('HGETALL', KEYS[1]), counts, schemas, found}
"""

_RENEW = (
    _LIVE_ON
    + """
-- KEYS: record. ARGV: seconds to live. A store that lives longer by itself is left as it is.
local left = redis.call('TTL', KEYS[1])
if left >= 0 and left <= tonumber(ARGV[1]) then live_on(KEYS[1], ARGV[1]) end
return 1
"""
)

_CLEAR = """
-- KEYS: approval of a saved diff, its journal, the journal's writer and application, then what else it has.
-- Removes them. Answers nothing, or why they stay: what somebody has decided or done is not lost.
if redis.call('EXISTS', KEYS[1]) == 1 then return 'approval' end
if redis.call('EXISTS', unpack(KEYS, 2, 4)) > 0 then return 'journal' end
redis.call('UNLINK', unpack(KEYS))
return ''
"""

_APPEND = """
-- KEYS: elements. ARGV: how many there are before these, seconds to live, elements.
-- Answers 1 if they stand at their place, also from a try whose answer was lost, 0 if something else does, -1 if those before
-- them are gone.
local there = redis.call('LRANGE', KEYS[1], ARGV[1], -1)
if #there > 0 then
  if #there ~= #ARGV - 2 then return 0 end
  for i = 1, #there do
    if there[i] ~= ARGV[i + 2] then return 0 end
  end
else
  local before = redis.call('LLEN', KEYS[1])
  if before ~= tonumber(ARGV[1]) then return before == 0 and -1 or 0 end
  redis.call('RPUSH', KEYS[1], unpack(ARGV, 3))
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""

_FINISH = """
-- KEYS: elements, record. ARGV: how many elements there are, seconds to live, record. Answers 1, or 0 if elements are missing.
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[1]) then return 0 end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[2])
return 1
"""

NOW = Script(_NOW)
ACQUIRE = Script(_ACQUIRE)
WRITE = Script(_WRITE)
RELEASE = Script(_RELEASE)
BEGIN = Script(_BEGIN)
MARK = Script(_MARK)
FETCH = Script(_FETCH)
READ = Script(_READ)
RECORD = Script(_RECORD)
RENEW = Script(_RENEW)
CLEAR = Script(_CLEAR)
APPEND = Script(_APPEND)
FINISH = Script(_FINISH)
