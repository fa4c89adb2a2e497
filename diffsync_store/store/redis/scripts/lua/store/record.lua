-- KEYS: record, counts, schema.
-- Returns: the record, the counts, the schema, and pairs of model and number of objects that are really stored.
local space = string.sub(KEYS[1], 1, -7) -- the key without 'record'
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
