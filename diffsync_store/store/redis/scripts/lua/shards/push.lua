-- include shared/of_shard

-- Appends items to a list; a call that is repeated under the same number changes nothing.
-- KEYS: record, list. ARGV: as for each script of a shard, 5 number of items that the list has before, from 6 on items.
-- Returns: status.
local refused = is_refused()
if refused then return refused end
if redis.call('LLEN', KEYS[2]) > tonumber(ARGV[5]) then return 'done' end
redis.call('RPUSH', KEYS[2], unpack(ARGV, 6))
redis.call('EXPIRE', KEYS[2], math.max(tonumber(redis.call('HGET', KEYS[1], 'hold') or '') or 1, 3600))
return 'done'
