-- include shared/fenced
-- include shared/stamp
-- include shared/claims
-- include shared/server
-- include shared/unlink

-- Empties the store and begins a new generation, unless another load is alive. The caller loads its shard 0.
-- KEYS: record. ARGV: token, generation, claim in ms, writer's name, seconds to live, seconds to live at least during a load,
-- number of shards.
-- Returns: status, epoch.
local record, now = KEYS[1], milliseconds()
local newer = fenced(record)
if newer then return {'fenced', newer} end
if is_claimed(record, now) then return {'wait', redis.call('HGET', record, 'writer')} end
unlink_all(record)
local life = math.max(tonumber(ARGV[5]), tonumber(ARGV[6]))
redis.call('HSET', record, 'hold', life, 'generation', ARGV[2], 'state', 'loading', 'created', stamp(), 'updated', stamp(),
  'layout', '2', 'token:0', ARGV[1], 'until:0', now + tonumber(ARGV[3]), 'shards', ARGV[7], 'writer', ARGV[4], 'ttl', ARGV[5],
  'epoch', '1', 'server', server())
redis.call('EXPIRE', record, life)
return {'loading', '1'}
