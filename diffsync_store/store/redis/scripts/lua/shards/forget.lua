-- include shared/of_shard

-- Removes the nodes of objects that were removed in another partition.
-- KEYS: record, nodes. ARGV: as for each script of a shard, from 5 on ids, at most 1,000.
-- Returns: status.
local refused = is_refused()
if refused then return refused end
redis.call('HDEL', KEYS[2], unpack(ARGV, 5))
return 'done'
