-- include shared/of_shard

-- Appends bytes to fields of a hash; a call that is repeated under the same number changes nothing.
-- KEYS: record, schema, hash. ARGV: as for each script of a shard, 5 number of the call, 6 model, from 7 on pairs of field and bytes.
-- Returns: status.
local refused = is_refused()
if refused then return refused end
local counter = 'appended:' .. ARGV[1]
if tonumber(redis.call('HGET', KEYS[1], counter) or 0) >= tonumber(ARGV[5]) then return 'done' end
redis.call('HSETNX', KEYS[2], ARGV[6], '')
for i = 7, #ARGV, 2 do
  local before = redis.call('HGET', KEYS[3], ARGV[i])
  redis.call('HSET', KEYS[3], ARGV[i], before and before .. ARGV[i + 1] or ARGV[i + 1])
end
redis.call('EXPIRE', KEYS[3], math.max(tonumber(redis.call('HGET', KEYS[1], 'hold') or '') or 1, 3600))
redis.call('HSET', KEYS[1], counter, ARGV[5])
return 'done'
