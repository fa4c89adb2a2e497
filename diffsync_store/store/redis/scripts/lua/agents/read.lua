-- include shared/round

-- Returns: nothing if the last sync was not by several agents; else the round, its agents, the number of units and of claims, the
-- time in ms.
local number = redis.call('HGET', round, 'number')
if not number or number ~= redis.call('HGET', writer, 'number') then return {} end
return {redis.call('HGETALL', round), redis.call('HGETALL', agents), redis.call('LLEN', units), redis.call('HLEN', claims), now}
