-- include shared/server

-- A round: several agents apply one saved diff together.
-- KEYS: record, writer, journal, round, units, claims, agents.
local record, writer, journal, round, units, claims, agents = unpack(KEYS)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function text_of(number) return string.format('%.0f', number) end

-- Returns the parts of the claim on a unit: token, end of its lease, agent. Nothing if there is none.
local function claim_on(unit)
  local text = redis.call('HGET', claims, unit)
  if text then return string.match(text, '^(%d+) (%d+) (.*)$') end
end

local function set_claim(unit, token, till, agent)
  redis.call('HSET', claims, unit, token .. ' ' .. text_of(till) .. ' ' .. agent)
end

-- Returns the ids of the agents that have shown a sign of life and have not ended.
local function live_agents()
  local found = {}
  for _, field in ipairs(redis.call('HKEYS', agents)) do
    local id = string.match(field, '^(.*):name$')
    if id then
      local state = redis.call('HMGET', agents, id .. ':until', id .. ':ended')
      if tonumber(state[1]) > now and not state[2] then found[#found + 1] = id end
    end
  end
  return found
end

-- Restarts the lease of an agent.
local function show_life(agent, lease)
  redis.call('HSET', agents, agent .. ':until', text_of(now + tonumber(lease)), agent .. ':seen', text_of(now))
end

-- Returns why a round is over for its agents: another sync has begun, the server may have lost writes, everything is done, or an
-- agent has stopped the round. Nothing if it goes on.
local function over(number)
  local w = redis.call('HMGET', writer, 'number', 'by', 'at', 'run')
  if w[1] ~= number then return {'replaced', w[1] or '0', w[2] or '', w[3] or '0'} end
  if w[4] ~= server() then return {'moved'} end
  local r = redis.call('HMGET', round, 'closed', 'stopped')
  if r[1] then return {'closed'} end
  if r[2] then return {'stopped', r[2]} end
end
