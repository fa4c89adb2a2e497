-- include shared/fenced
-- include shared/stamp
-- include shared/claims
-- include shared/server
-- include shared/unlink
-- include shared/live_on

-- Begins to load a shard: of the load that has the same plan and is not sealed, or has a name and was sealed without this shard; or of a new one, for
-- which the store is emptied. A load that goes on after its seal is a new generation: what was made from the store does not fit it.
-- KEYS: record, shards. ARGV: 1 token, 2 generation of a new load, 3 claim in ms, 4 writer's name, 5 seconds to live, 6 seconds to live at
-- least during a load, 7 number of the shard, 8 number of shards, 9 plan, 10 what the plans of one load have in common, 11 name of the
-- load, 12 state of the shard as JSON, 13 generation that may be emptied, or empty, 14 number of partitions, 15 '1' if another
-- partition was changed since the seal, or empty.
-- Returns: status, name of another writer or generation, and '1' if the shard may have objects of an earlier attempt, or when the
-- claim of the other writer ends. The status is 'loading', 'wait', 'sealed', 'emptied' (the generation is another one by now), or 'fenced'.
local record, shards, number, now = KEYS[1], KEYS[2], ARGV[7], milliseconds()
local newer = fenced(record)
if newer then return {'fenced', newer, ''} end
local r = redis.call('HMGET', record, 'generation', 'layout', 'plan_key', 'sealed', 'load', 'hold', 'ttl', 'epoch')
local is_joined = r[1] and r[2] == '2' and r[3] == ARGV[10] and not r[4]
local life = math.max(tonumber(ARGV[5]), tonumber(ARGV[6]))

-- Returns whether the load was sealed without this shard, and nobody has changed the store since then.
local function lacks_shard()
  local is_same = r[1] and r[2] == '2' and r[3] == ARGV[10] and r[4] and ARGV[11] ~= ''
  if not is_same or ARGV[15] == '1' or redis.call('HGET', record, 'changed') then return false end
  local state = redis.call('HGET', shards, number)
  return not state or cjson.decode(state).state == 'failed'
end

if lacks_shard() then
  if is_claimed(record, now) then return {'wait', redis.call('HGET', record, 'writer') or '', ''} end
  if r[1] ~= ARGV[13] then return {'emptied', '', ''} end
  r[1], is_joined = ARGV[2], true
  redis.call('HDEL', record, 'sealed', 'indexed', 'index_keys')
  redis.call('HSET', record, 'generation', r[1], 'hold', life)
  live_on(record, math.max(life, tonumber(r[7] or '') or 0))
end
local is_again = ''
if is_joined then
  for _, other in ipairs({number, ARGV[8]}) do -- the shard, and the one of a process that seals
    local of_shard = redis.call('HMGET', record, 'token:' .. other, 'until:' .. other)
    if of_shard[1] and of_shard[1] ~= ARGV[1] and tonumber(of_shard[2] or 0) > now then
      return {'wait', redis.call('HGET', shards, number .. ':writer') or '', of_shard[2]}
    end
  end
  if redis.call('HGET', record, 'token:' .. number) == ARGV[1] then -- the answer was lost
    return {'loading', r[1], redis.call('HGET', shards, number .. ':again') or ''}
  end
  if redis.call('HEXISTS', shards, number) == 1 then is_again = '1' end
  for _, of in ipairs({'token:', 'ended:'}) do
    local before = redis.call('HGET', record, of .. number)
    if before and before ~= '' then redis.call('HDEL', record, 'batch:' .. before, 'refused:' .. before, 'at_work:' .. before) end
  end
  redis.call('HSET', record, 'state', 'loading', 'reason', '')
else
  if is_claimed(record, now) then return {'wait', redis.call('HGET', record, 'writer') or '', ''} end
  if r[4] and ARGV[11] ~= '' and r[5] == ARGV[11] then return {'sealed', '', ''} end
  if r[1] and r[1] ~= ARGV[13] then return {'emptied', '', ''} end
  unlink_all(record)
  r[1] = ARGV[2]
  redis.call('HSET', record, 'hold', life, 'generation', ARGV[2], 'state', 'loading', 'created', stamp(), 'layout', '2', 'shards',
    ARGV[8] + 1, 'plan', ARGV[9], 'plan_key', ARGV[10], 'load', ARGV[11], 'ttl', ARGV[5], 'epoch', '1', 'partitions', ARGV[14])
end
redis.call('HSET', record, 'token:' .. number, ARGV[1], 'until:' .. number, now + tonumber(ARGV[3]), 'token:' .. ARGV[8], '',
  'writer', ARGV[4], 'updated', stamp())
redis.call('HSET', shards, number, ARGV[12], number .. ':counts', '{}', number .. ':started', stamp(), number .. ':updated', stamp(),
  number .. ':writer', ARGV[4], number .. ':server', server(), number .. ':again', is_again)
redis.call('HDEL', shards, number .. ':index')
for _, key in ipairs({record, shards}) do redis.call('EXPIRE', key, math.max(life, tonumber(r[6] or '') or 0)) end
return {'loading', r[1], is_again}
