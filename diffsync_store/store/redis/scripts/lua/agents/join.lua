-- include shared/stamp
-- include shared/same_diff
-- include shared/round

-- Joins the round of a diff; begins one if there is none that goes on.
-- ARGV: creation time of the diff, name of the agent, seconds to live, id of the agent, lease in ms, options of the sync, group of
-- the agents or empty.
-- Returns: nothing if it is another diff; else a status and its details: 'joined' with the number of the round, '1' if entries of
-- the journal may be lost, the time, and the time at which the round began; 'other' with the name of an agent that uses other
-- options; 'over' with the reason if the round of this group has ended.
local name, life, agent, lease, options, group = ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local run = server()
local w = redis.call('HMGET', writer, 'number', 'run', 'suspect', 'ended')
local r = redis.call('HMGET', round, 'number', 'options', 'group', 'closed', 'stopped', 'began')
local live = live_agents()
local is_own_group = r[1] and group ~= '' and r[3] == group
local is_whole = r[1] and r[1] == w[1] and w[2] == run

if is_whole and is_own_group and r[4] then return {'over', ''} end
if is_whole and r[5] and (is_own_group or #live > 0) then return {'over', r[5]} end
local joins = is_whole and not r[4] and not r[5] and not w[4]
if joins and r[2] ~= options then
  if #live > 0 then return {'other', redis.call('HGET', agents, live[1] .. ':name')} end
  joins = false
end

local number, suspect, began = w[1], w[3] or '', r[6]
if not joins then
  if w[1] and w[2] ~= run or not w[1] and redis.call('EXISTS', journal) == 1 then suspect = '1' end
  number, began = text_of(math.max(now, tonumber(w[1] or 0) + 1)), text_of(now)
  redis.call('DEL', writer, round, units, claims, agents)
  redis.call('HSET', writer, 'number', number, 'by', name, 'at', text_of(now), 'run', run, 'suspect', suspect)
  redis.call('HSET', round, 'number', number, 'options', options, 'group', group, 'began', began, 'phase', '0', 'next', '0',
    'token', '0', 'end:0', '1')
  redis.call('RPUSH', units, '{"task":"plan"}')
end
if redis.call('HSETNX', agents, agent .. ':name', name) == 1 and joins then
  redis.call('HSET', writer, 'by', redis.call('HGET', writer, 'by') .. ', ' .. name)
end
redis.call('HSET', writer, 'alive', stamp())
redis.call('HSETNX', agents, agent .. ':began', text_of(now))
show_life(agent, lease)
for _, key in ipairs({writer, round, units, claims, agents}) do redis.call('EXPIRE', key, life) end
return {'joined', number, suspect, stamp(), began}
