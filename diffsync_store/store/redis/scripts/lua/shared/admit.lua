-- include shared/fenced
-- include shared/stamp
-- include shared/live_on
-- include shared/claims

local life = tonumber(ARGV[6]) -- seconds to live; more during a load

-- Renews the time to live of the store after a write, once a tenth of it has passed.
local function keep_alive(record)
  local left = redis.call('TTL', record)
  if left < life * 0.9 or left > life then live_on(record, life) end
end

-- Admits a writer. Returns a status, the epoch and the generation. Status: 'loading' or 'leaving' if it may write to its shard,
-- for the last time if 'leaving'; 'exclusive' or 'shared' if it may write outside of a shard; 'wait' if another writer has a
-- claim, 'replaced' or 'gone' if the store was loaded again or dropped, 'fenced' if its lease is lost, 'layout' if another
-- version has written the store, 'shards' if the store is loaded in shards and the writer is of none.
-- Every script that calls it has ARGV 1 to 7: token, generation, fresh generation, claim in ms, writer's name, seconds to live,
-- number of the shard that the writer loads, or empty. A writer that creates a store loads its shard 0.
local function admit(record)
  local token, generation, claim, shard = ARGV[1], ARGV[2], tonumber(ARGV[4]), ARGV[7]
  local r = redis.call('HMGET', record, 'generation', 'token', 'shared', 'epoch', 'hold', 'state', 'layout', 'token:' .. shard,
    'plan', 'sealed')
  life = math.max(life, tonumber(r[5] or '') or 0)
  local now, newer = milliseconds(), fenced(record)
  if newer then return 'fenced', newer, '' end
  if not r[1] then
    if generation ~= '' then return 'gone', '', '' end
    redis.call('HSET', record, 'generation', ARGV[3], 'state', 'loading', 'created', stamp(), 'layout', '2', 'epoch', '1',
      'shards', '1', 'token:0', token)
    redis.call('EXPIRE', record, life)
    r = {ARGV[3], false, false, '1', false, 'loading', '2', shard == '0' and token}
  elseif generation ~= '' and generation ~= r[1] then
    return 'replaced', '', ''
  elseif r[7] ~= '2' then
    return 'layout', '', ''
  elseif r[9] and shard ~= '' and r[8] ~= token then
    return 'replaced', '', ''
  elseif r[9] and not r[10] and r[8] ~= token then
    return 'shards', '', ''
  end
  if r[8] == token and r[6] == 'loading' and r[4] == '1' then
    redis.call('HSET', record, 'until:' .. shard, r[3] and 0 or now + claim, 'updated', stamp(), 'writer', ARGV[5], 'ttl', ARGV[6])
    return r[3] and 'leaving' or 'loading', r[4], r[1]
  end
  if r[2] ~= token then
    if is_claimed(record, now) then
      redis.call('HSET', record, 'shared', '1')
      return 'wait', '', ''
    end
    r[4] = tostring(redis.call('HINCRBY', record, 'epoch', 1))
  end
  local status, till = 'exclusive', now + claim
  if r[3] then status, till = 'shared', 0 end
  redis.call('HSET', record, 'token', token, 'until', till, 'updated', stamp(), 'writer', ARGV[5], 'ttl', ARGV[6])
  return status, r[4], r[1]
end
