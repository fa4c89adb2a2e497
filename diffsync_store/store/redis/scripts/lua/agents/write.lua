-- include shared/stamp

-- Writes a batch of entries of a unit that an agent has claimed. A batch with the number of the last one is not written again: its
-- answer was lost.
-- KEYS: writer, journal, claims. ARGV: number of the round, stream, number of the batch, unit, token, then ids and entries.
-- Returns: nothing; or, if nothing was written, number, name and time of the sync that writes now, or '0', '', '1' if another
-- agent has taken over the unit.
local w = redis.call('HMGET', KEYS[1], 'number', 'stream:' .. ARGV[2], 'by', 'at')
if w[1] ~= ARGV[1] then return {w[1] or '0', w[3] or '', w[4] or '0'} end
local claim = redis.call('HGET', KEYS[3], ARGV[4])
if not claim or string.match(claim, '^%d+') ~= ARGV[5] then return {'0', '', '1'} end
local batch = tonumber(w[2] or 0)
if batch == tonumber(ARGV[3]) then return {} end
if batch ~= ARGV[3] - 1 then return {'0', '', '0'} end
redis.call('HSET', KEYS[2], unpack(ARGV, 6))
redis.call('HSET', KEYS[1], 'stream:' .. ARGV[2], ARGV[3], 'alive', stamp()) -- last: a batch that failed before is sent again
return {}
