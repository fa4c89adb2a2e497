-- include shared/keys_of

-- KEYS: record, counts, schema.
-- Returns: the record, the counts, the schema, pairs of model and number of objects that are really stored (-1 if another of its
-- keys is lost), number of keys that the index has.
local record = KEYS[1]
local space = string.sub(record, 1, -7) -- the key without 'record'
local counts, found = redis.call('HGETALL', KEYS[2]), {}
for i = 1, #counts, 2 do
  local keys = {}
  for k, kind in ipairs(OBJECTS) do keys[k] = space .. kind .. ':' .. counts[i] end
  local is_whole = redis.call('EXISTS', unpack(keys)) == tonumber(redis.call('HGET', record, 'keys:' .. counts[i]) or '')
  found[i], found[i + 1] = counts[i], is_whole and redis.call('HLEN', keys[1]) or -1
end
local indexed = redis.call('HGET', record, 'indexed') == '1' and index_size(record) or 0
return {redis.call('HGETALL', record), counts, redis.call('HGETALL', KEYS[3]), found, indexed}
