-- include shared/stamp
-- include shared/round

-- Shows that an agent is alive, and restarts the lease of its claim.
-- ARGV: number of the round, id of the agent, lease in ms, unit or empty, token, operations done.
-- Returns: 'ok', 'lost' if another agent has the claim, or why the round is over.
local agent, lease, unit, token = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local ended = over(ARGV[1])
if ended and (ended[1] == 'replaced' or ended[1] == 'moved') then return ended end
show_life(agent, lease)
redis.call('HSET', agents, agent .. ':done', ARGV[6])
redis.call('HSET', writer, 'alive', stamp())
if unit ~= '' then
  if claim_on(unit) ~= token then return {'lost'} end
  set_claim(unit, token, now + tonumber(lease), agent)
end
return ended or {'ok'}
