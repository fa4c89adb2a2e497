-- include shared/of_shard
-- include shared/server
-- include shared/live_on

-- Ends a load in shards. From now on the store can be read.
-- KEYS: record, shards. ARGV: as for each script of a shard, 5 run id of the server on which the seal began, 6 seconds to live, from 7 on
-- pairs of field and value of the record.
-- Returns: status: 'done', 'moved' if Redis was restarted or failed over meanwhile, or as for each script of a shard.
local record = KEYS[1]
local refused = is_refused()
if refused then
  if redis.call('HGET', record, 'sealed') == ARGV[1] then return 'done' end -- the answer was lost
  return refused
end
if server() ~= ARGV[5] then return 'moved' end
local is_indexed = false
for i = 7, #ARGV, 2 do is_indexed = is_indexed or ARGV[i] == 'indexed' end
redis.call('HSET', record, 'updated', stamp(), 'hold', '', 'sealed', ARGV[1], 'token:' .. ARGV[3], '', 'until:' .. ARGV[3], 0,
  'server', server(), unpack(ARGV, 7))
if is_indexed then redis.call('HSET', record, 'index_keys', index_size(record)) end
live_on(record, ARGV[6])
return 'done'
