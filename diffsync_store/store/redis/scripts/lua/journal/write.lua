-- include shared/stamp

-- Writes a batch of entries. A batch with the number of the last one is not written again: its answer was lost.
-- KEYS: writer, journal. ARGV: number of the sync, stream, number of the batch, then ids and entries.
-- Returns: nothing; or, if nothing was written, number, name and time of the sync that writes now.
local writer = redis.call('HMGET', KEYS[1], 'number', 'stream:' .. ARGV[2], 'by', 'at')
if writer[1] ~= ARGV[1] then return {writer[1] or '0', writer[3] or '', writer[4] or '0'} end
local batch = tonumber(writer[2] or 0)
if batch == tonumber(ARGV[3]) then return {} end
if batch ~= ARGV[3] - 1 then return {'0', '', '0'} end
redis.call('HSET', KEYS[2], unpack(ARGV, 4))
redis.call('HSET', KEYS[1], 'stream:' .. ARGV[2], ARGV[3], 'alive', stamp()) -- last: a batch that failed before is sent again
return {}
