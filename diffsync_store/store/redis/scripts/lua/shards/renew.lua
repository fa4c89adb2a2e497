-- include shared/of_shard

-- Renews the claim on a shard, and notes how many objects it has.
-- KEYS: record, shards. ARGV: as for each script of a shard, 5 counts as JSON, or empty.
-- Returns: status.
local refused = is_refused()
if refused then return refused end
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], ARGV[3] .. ':counts', ARGV[5], ARGV[3] .. ':updated', stamp()) end
return 'done'
