-- include shared/of_shard
-- include shared/server

-- Ends the load of a shard in a partition other than the first: it takes no more batches.
-- KEYS: record of the partition. ARGV: as for each script of a shard.
-- Returns: status: 'done', 'moved' if objects may be lost, or as for each script of a shard.
local record, ended = KEYS[1], 'ended:' .. ARGV[3]
local r = redis.call('HMGET', record, 'generation', ended)
if r[1] == ARGV[2] and r[2] == ARGV[1] then return 'done' end -- the answer was lost
local refused = is_refused()
if refused then return refused end
if redis.call('HGET', record, 'server:' .. ARGV[3]) ~= server() then return 'moved' end
redis.call('HSET', record, 'token:' .. ARGV[3], '', 'until:' .. ARGV[3], 0, ended, ARGV[1])
return 'done'
