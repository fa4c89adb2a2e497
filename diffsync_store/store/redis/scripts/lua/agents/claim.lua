-- include shared/round

-- Claims a unit of the round: one of an agent that is silent, else the next one of the phase. A phase begins once the one before
-- it is done.
-- ARGV: number of the round, id of the agent, lease in ms.
-- Returns: a status and its details: 'unit' with number, token, unit, name of the agent that had it or empty, number of live
-- agents, operations tried, failed and elements done so far; 'wait' with the ms until a claim may be taken over; or why the round
-- is over.
local agent, lease = ARGV[2], ARGV[3]
local ended = over(ARGV[1])
if ended then return ended end
show_life(agent, lease)

local function answer(unit, token, name)
  local totals = redis.call('HMGET', round, 'tried', 'failed', 'elements')
  return {'unit', tonumber(unit), tonumber(token), redis.call('LRANGE', units, unit, unit)[1], name, #live_agents(),
    tonumber(totals[1] or 0), tonumber(totals[2] or 0), tonumber(totals[3] or 0)}
end

local function give(unit, from)
  local token = redis.call('HINCRBY', round, 'token', 1)
  set_claim(unit, token, now + tonumber(lease), agent)
  local name = ''
  if from then
    name = redis.call('HGET', agents, from .. ':name') or '?'
    redis.call('HINCRBY', agents, agent .. ':took_over', 1)
    redis.call('HINCRBY', agents, from .. ':lost', 1)
    redis.call('HSET', round, 'attempted', '1') -- it may have sent something
  end
  redis.call('HSET', agents, agent .. ':unit', unit)
  return answer(unit, token, name)
end

local earliest
for _, unit in ipairs(redis.call('HKEYS', claims)) do
  local token, till, holder = claim_on(unit)
  if holder == agent and tonumber(till) > now then -- the answer to an earlier call was lost
    return answer(unit, token, '')
  end
  if tonumber(till) <= now then return give(unit, holder) end
  earliest = math.min(earliest or tonumber(till), tonumber(till))
end
local r = redis.call('HMGET', round, 'next', 'phase')
local next, phase = tonumber(r[1]), tonumber(r[2])
local last = tonumber(redis.call('HGET', round, 'end:' .. r[2]))
if next >= last and not earliest then
  phase = phase + 1
  last = tonumber(redis.call('HGET', round, 'end:' .. phase) or next)
  redis.call('HSET', round, 'phase', phase)
end
if next < last then
  redis.call('HSET', round, 'next', next + 1)
  return give(next)
end
return {'wait', (earliest or now) - now}
