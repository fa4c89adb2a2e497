-- include shared/fenced
-- include shared/server
-- include shared/stamp
-- include shared/live_on

-- Writes facts about the store into its record. A state ends the load, and starts the time to live.
-- A load that ends on another server than it began on has failed: writes that the first server confirmed may be missing.
-- If the index of the store is whole from now on, `indexed`, the record notes how many keys it has.
-- A writer that ends its shard and has been alone still knows all unique ids: its next writes are in the same epoch.
-- KEYS: record. ARGV: token, generation, seconds to live, number of the shard that ends, or empty, then pairs of field and value.
if fenced(KEYS[1]) then return 'fenced' end
local r = redis.call('HMGET', KEYS[1], 'generation', 'state', 'server', 'epoch', 'token', 'token:' .. ARGV[4])
if not r[1] then return 'gone' end
if r[1] ~= ARGV[2] then return 'replaced' end
local ends, is_indexed = false, false
for i = 5, #ARGV, 2 do
  ends = ends or ARGV[i] == 'state'
  is_indexed = is_indexed or ARGV[i] == 'indexed'
  local ends_well = ARGV[i] == 'state' and ARGV[i + 1] ~= 'failed'
  if ends_well and r[2] == 'loading' and r[3] and r[3] ~= server() then return 'moved' end
end
if ends then live_on(KEYS[1], ARGV[3]) end
if r[6] == ARGV[1] then
  redis.call('HSET', KEYS[1], 'token:' .. ARGV[4], '', 'until:' .. ARGV[4], 0)
  if r[4] == '1' and not r[5] then redis.call('HSET', KEYS[1], 'token', ARGV[1], 'until', 0) end
end
if is_indexed then redis.call('HSET', KEYS[1], 'index_keys', index_size(KEYS[1])) end
redis.call('HSET', KEYS[1], 'updated', stamp(), unpack(ARGV, 5))
return 'done'
