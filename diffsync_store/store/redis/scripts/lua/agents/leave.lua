-- include shared/stamp
-- include shared/round

-- Ends an agent: another one can claim its unit at once. It may stop the round for all.
-- ARGV: number of the round, id of the agent, state, reason, '1' to stop the round, operations done by the agent, then pairs of name
-- and count.
if redis.call('HGET', round, 'number') ~= ARGV[1] then return 0 end
local agent = ARGV[2]
for _, unit in ipairs(redis.call('HKEYS', claims)) do
  local token, _, holder = claim_on(unit)
  if holder == agent then set_claim(unit, token, 0, agent) end
end
redis.call('HSET', agents, agent .. ':ended', text_of(now), agent .. ':state', ARGV[3], agent .. ':reason', ARGV[4], agent .. ':done',
  ARGV[6])
for at = 7, #ARGV, 2 do redis.call('HINCRBY', round, ARGV[at], ARGV[at + 1]) end
if ARGV[5] == '1' then redis.call('HSETNX', round, 'stopped', ARGV[4]) end
if #live_agents() == 0 and redis.call('HGET', writer, 'number') == ARGV[1] then redis.call('HSETNX', writer, 'ended', stamp()) end
return 1
