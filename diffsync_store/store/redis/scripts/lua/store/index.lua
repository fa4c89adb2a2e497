-- include shared/fenced
-- include shared/claims

-- Writes a piece of the index of a shard; to write it twice is no harm.
-- KEYS: record, schema, key of the index. ARGV: token, generation, number of the shard, claim in ms, model, 'hash' or 'string',
-- then pairs of field and value, or of offset and bytes.
-- Returns: status.
local newer = fenced(KEYS[1])
if newer then return {'fenced', newer} end
local r = redis.call('HMGET', KEYS[1], 'generation', 'token:' .. ARGV[3], 'hold', 'ttl')
if not r[1] then return {'gone', ''} end
if r[1] ~= ARGV[2] or r[2] ~= ARGV[1] then return {'replaced', ''} end
redis.call('HSETNX', KEYS[2], ARGV[5], '') -- listed children may have no objects
if ARGV[6] == 'hash' then
  redis.call('HSET', KEYS[3], unpack(ARGV, 7))
else
  for i = 7, #ARGV, 2 do redis.call('SETRANGE', KEYS[3], ARGV[i], ARGV[i + 1]) end
end
redis.call('EXPIRE', KEYS[3], math.max(tonumber(r[3] or '') or 0, tonumber(r[4] or '') or 1))
redis.call('HSET', KEYS[1], 'until:' .. ARGV[3], milliseconds() + tonumber(ARGV[4]))
return {'done', ''}
