-- include shared/admit
-- include shared/server

-- Empties the store and begins a new generation, unless another load is alive.
-- KEYS: record, counts, schema. ARGV: 7 seconds to live during a load, from 8 on prefixes of the keys of a model.
-- Returns: status, name of the writer that has a claim.
local newer = fenced(KEYS[1])
if newer then return {'fenced', newer} end
local r = redis.call('HMGET', KEYS[1], 'token', 'until', 'writer')
if r[1] and r[1] ~= ARGV[1] and tonumber(r[2] or 0) > milliseconds() then return {'wait', r[3]} end
local models = redis.call('HKEYS', KEYS[3])
for _, model in ipairs(redis.call('HKEYS', KEYS[2])) do models[#models + 1] = model end -- the schema may be lost
for _, model in ipairs(models) do -- before the record, which names what is lost
  for i = 8, #ARGV do redis.call('UNLINK', ARGV[i] .. model) end
end
redis.call('DEL', KEYS[3], KEYS[2], KEYS[1])
life = math.max(life, tonumber(ARGV[7]))
local now = milliseconds()
redis.call('HSET', KEYS[1], 'hold', life, 'generation', ARGV[3], 'state', 'loading', 'created', stamp(), 'updated', stamp(), 'layout', '1',
  'token', ARGV[1], 'until', now + tonumber(ARGV[4]), 'writer', ARGV[5], 'ttl', ARGV[6], 'epoch', '1', 'server', server())
redis.call('EXPIRE', KEYS[1], life)
return {'exclusive', ''}
