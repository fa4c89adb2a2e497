-- include shared/stamp
-- include shared/round

-- Finishes a unit. The last one closes the round.
-- ARGV: number of the round, id of the agent, lease in ms, unit, token, operations done by the agent, number of counts, then pairs
-- of name and count; for the plan: pairs of unit and the number of its phase, in order.
-- Returns: 'ok', 'lost' if another agent has the claim, or why the round is over.
local agent, unit, token = ARGV[2], ARGV[4], ARGV[5]
local is_again = redis.call('HGET', agents, agent .. ':finished') == token -- the answer to an earlier call was lost
if is_again and redis.call('HGET', round, 'number') == ARGV[1] then return {'ok'} end
local ended = over(ARGV[1])
if ended and (ended[1] == 'replaced' or ended[1] == 'moved') then return ended end
if claim_on(unit) ~= token then return {'lost'} end
local at = 8
for _ = 1, tonumber(ARGV[7]) do
  redis.call('HINCRBY', round, ARGV[at], ARGV[at + 1])
  at = at + 2
end
local number = redis.call('LLEN', units)
for place = at, #ARGV, 2 do
  redis.call('RPUSH', units, ARGV[place])
  number = number + 1
  redis.call('HSET', round, 'end:' .. ARGV[place + 1], number)
end
redis.call('HDEL', claims, unit)
redis.call('HDEL', agents, agent .. ':unit')
redis.call('HSET', agents, agent .. ':finished', token, agent .. ':done', ARGV[6])
show_life(agent, ARGV[3])
local is_plan = unit == '0'
local is_last = not is_plan and tonumber(unit) == redis.call('LLEN', units) - 1
if not is_plan and not is_last then redis.call('HINCRBY', agents, agent .. ':units', 1) end
if is_last then
  redis.call('HSET', round, 'closed', '1', 'closed_by', redis.call('HGET', agents, agent .. ':name') or '')
  redis.call('HSET', writer, 'ended', stamp())
end
return {'ok'}
