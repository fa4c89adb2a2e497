-- include shared/round

-- Returns: nothing if the last sync was not by several agents; else the round, its agents, the number of units and of claims, the
-- time in ms, and pairs of a unit that an agent works on and its text.
local number = redis.call('HGET', round, 'number')
if not number or number ~= redis.call('HGET', writer, 'number') then return {} end
local claimed = {}
for _, unit in ipairs(redis.call('HKEYS', claims)) do
  claimed[#claimed + 1] = unit
  claimed[#claimed + 1] = redis.call('LRANGE', units, unit, unit)[1]
end
return {redis.call('HGETALL', round), redis.call('HGETALL', agents), redis.call('LLEN', units), #claimed / 2, now, claimed}
