-- include shared/of_shard
-- include shared/server

-- Ends the load of a shard. One that ends well on another server than it began on has failed: objects may be lost.
-- KEYS: record, shards. ARGV: as for each script of a shard, 5 'loaded' or 'failed', 6 state as JSON, 7 counts as JSON, 8 index as JSON,
-- from 9 on facts about the store: pairs of field and value.
-- Returns: status: 'done', 'moved', or as for each script of a shard.
local record, shards, number = KEYS[1], KEYS[2], ARGV[3]
local r = redis.call('HMGET', record, 'generation', 'ended:' .. number)
if r[1] == ARGV[2] and r[2] == ARGV[1] then return 'done' end -- the answer was lost
local refused = is_refused()
if refused then return refused end
if ARGV[5] == 'loaded' and redis.call('HGET', shards, number .. ':server') ~= server() then return 'moved' end
redis.call('HSET', shards, number, ARGV[6], number .. ':counts', ARGV[7], number .. ':index', ARGV[8], number .. ':updated', stamp())
redis.call('HSET', record, 'token:' .. number, '', 'until:' .. number, 0, 'ended:' .. number, ARGV[1], 'updated', stamp(), unpack(ARGV, 9))
return 'done'
