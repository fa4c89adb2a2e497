-- include shared/fenced
-- include shared/stamp
-- include shared/claims
-- include shared/server
-- include shared/unlink

-- Empties a partition of the store and begins a new generation. The caller loads its shard 0.
-- The first partition is emptied unless another load is alive; then the others are, with the time at which the generation began
-- there: one that began earlier ends none.
-- KEYS: record. ARGV: token, generation, claim in ms, writer's name, seconds to live, seconds to live at least during a load,
-- number of shards, number of partitions, time at which the generation began, or empty.
-- Returns: status, epoch, time at which the generation began.
local record, now, began = KEYS[1], milliseconds(), ARGV[9]
local newer = fenced(record)
if newer then return {'fenced', newer} end
if began == '' then
  if is_claimed(record, now) then return {'wait', redis.call('HGET', record, 'writer')} end
  began = stamp()
else
  local r = redis.call('HMGET', record, 'generation', 'created')
  if r[1] == ARGV[2] then return {'loading', '1', began} end -- the answer to an earlier call was lost
  if r[1] and tonumber(r[2]) > tonumber(began) then return {'replaced', ''} end
end
unlink_all(record)
local life = math.max(tonumber(ARGV[5]), tonumber(ARGV[6]))
redis.call('HSET', record, 'hold', life, 'generation', ARGV[2], 'state', 'loading', 'created', began, 'updated', stamp(),
  'layout', '2', 'token:0', ARGV[1], 'until:0', now + tonumber(ARGV[3]), 'shards', ARGV[7], 'writer', ARGV[4], 'ttl', ARGV[5],
  'epoch', '1', 'server', server(), 'partitions', ARGV[8])
redis.call('EXPIRE', record, life)
return {'loading', '1', began}
