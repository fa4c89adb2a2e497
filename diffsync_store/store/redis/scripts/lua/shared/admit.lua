-- include shared/fenced
-- include shared/stamp
-- include shared/live_on

local life = tonumber(ARGV[6]) -- seconds to live; more during a load

-- Renews the time to live of the store after a write, once a tenth of it has passed.
local function keep_alive(record)
  local left = redis.call('TTL', record)
  if left < life * 0.9 or left > life then live_on(record, life) end
end

local function milliseconds()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end

-- Admits a writer. Returns a status, the epoch and the generation. Status: 'exclusive' or 'shared' if it may write; 'wait' if
-- another writer has a claim, 'replaced' or 'gone' if the store was loaded again or dropped, 'fenced' if its lease is lost.
-- Every script that calls it has ARGV 1 to 6: token, generation, fresh generation, claim in ms, writer's name, seconds to live.
local function admit(record)
  local token, generation, claim = ARGV[1], ARGV[2], tonumber(ARGV[4])
  local r = redis.call('HMGET', record, 'generation', 'token', 'until', 'shared', 'epoch', 'hold')
  life = math.max(life, tonumber(r[6] or '') or 0)
  local now, newer = milliseconds(), fenced(record)
  if newer then return 'fenced', newer, '' end
  if not r[1] then
    if generation ~= '' then return 'gone', '', '' end
    redis.call('HSET', record, 'generation', ARGV[3], 'state', 'loading', 'created', stamp(), 'layout', '1')
    redis.call('EXPIRE', record, life)
    r = {ARGV[3], false, false, false, '0'}
  elseif generation ~= '' and generation ~= r[1] then
    return 'replaced', '', ''
  end
  local mine = r[2] == token
  if not mine and r[3] and tonumber(r[3]) > now then
    redis.call('HSET', record, 'shared', '1')
    return 'wait', '', ''
  end
  local epoch = r[5]
  if not mine then epoch = tostring(redis.call('HINCRBY', record, 'epoch', 1)) end
  local status, till = 'exclusive', now + claim
  if r[4] then status, till = 'shared', 0 end
  redis.call('HSET', record, 'token', token, 'until', till, 'updated', stamp(), 'writer', ARGV[5], 'ttl', ARGV[6])
  return status, epoch, r[1]
end
