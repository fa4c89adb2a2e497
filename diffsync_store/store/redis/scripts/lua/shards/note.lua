-- include shared/of_shard

-- Writes the states of shards whose load did not end.
-- KEYS: record, shards. ARGV: as for each script of a shard, from 5 on pairs of field and value; or of the record if ARGV 5 is 'record'.
-- Returns: status.
local refused = is_refused()
if refused then return refused end
local key, first = KEYS[2], 5
if ARGV[5] == 'record' then key, first = KEYS[1], 6 end
redis.call('HSET', key, unpack(ARGV, first))
return 'done'
