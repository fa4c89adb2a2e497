-- include shared/of_shard

-- Removes keys of a shard.
-- KEYS: record, then the keys. ARGV: as for each script of a shard.
-- Returns: status.
local refused = is_refused()
if refused then return refused end
redis.call('UNLINK', unpack(KEYS, 2))
return 'done'
