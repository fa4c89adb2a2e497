-- include shared/fenced
-- include shared/claims
-- include shared/server
-- include shared/unlink
-- include shared/refuse_writers

-- Lets the writer of a shard, or the process that seals, into a partition of the store other than the first, which has admitted it.
-- KEYS: record of the partition. ARGV: as for each script of a shard, 5 time at which the claim was given, 6 seconds to live, 7 seconds to
-- live at least during the load, 8 number of shards, 9 time at which the generation began, 10 '1' for the process that seals.
-- A load that goes on after its seal has a new generation, and began at the same time as before.
-- Returns: status, run id of the server, and for each declared shard that of the server on which it was let in, or empty. The status
-- is 'done', 'replaced', 'gone' if the process that seals finds nothing, or 'fenced'.
local record, number, shards = KEYS[1], ARGV[3], tonumber(ARGV[8])
if fenced(record) then return {'fenced', '', {}} end
local r = redis.call('HMGET', record, 'generation', 'created', 'token:' .. number, 'given:' .. number, 'joined')
if r[1] ~= ARGV[2] and r[2] == ARGV[9] then
  if tonumber(r[5]) > tonumber(ARGV[5]) then return {'replaced', '', {}} end
  redis.call('HSET', record, 'generation', ARGV[2])
  redis.call('HDEL', record, 'sealed')
elseif r[1] ~= ARGV[2] then
  if r[1] and tonumber(r[2]) > tonumber(ARGV[9]) then return {'replaced', '', {}} end
  if ARGV[10] == '1' then return {'gone', '', {}} end
  unlink_all(record)
  redis.call('HSET', record, 'generation', ARGV[2], 'created', ARGV[9], 'layout', '2', 'shards', shards, 'epoch', '1', 'plan', '1')
elseif r[4] and tonumber(r[4]) > tonumber(ARGV[5]) then
  return {'replaced', '', {}}
elseif r[3] and r[3] ~= ARGV[1] then
  redis.call('HDEL', record, 'batch:' .. r[3], 'refused:' .. r[3], 'at_work:' .. r[3])
end
local life = math.max(tonumber(ARGV[6]), tonumber(ARGV[7]))
redis.call('HSET', record, 'state', 'loading', 'hold', life, 'ttl', ARGV[6], 'token:' .. number, ARGV[1], 'given:' .. number, ARGV[5],
  'joined', ARGV[5], 'until:' .. number, milliseconds() + tonumber(ARGV[4]))
if ARGV[10] == '' then
  redis.call('HSET', record, 'server:' .. number, server())
else
  refuse_writers(record, shards - 1)
end
redis.call('EXPIRE', record, life)
local servers = {}
for shard = 0, shards - 2 do servers[#servers + 1] = redis.call('HGET', record, 'server:' .. shard) or '' end
return {'done', server(), servers}
