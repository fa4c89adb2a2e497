-- include shared/fenced
-- include shared/claims
-- include shared/may_call

-- Writes a piece of the index of a shard; to write it twice is no harm. A piece of a hash is best written without copying it into this
-- script: in a transaction of this script with 'open', which moves the key to `adding`, HSET to that key, and this script with 'close', which
-- moves it back.
-- KEYS: record, schema, key of the index, and adding if it is 'open' or 'close'. ARGV: token, generation, number of the shard, claim in ms,
-- model, 'hash', 'string', 'open' or 'close', then pairs of field and value, or of offset and bytes.
-- Returns: status; 'apart' if the key was not moved.
local record, schema, key, adding, phase = KEYS[1], KEYS[2], KEYS[3], KEYS[4], ARGV[6]
local is_open, is_close = phase == 'open', phase == 'close'
local r = redis.call('HMGET', record, 'generation', 'token:' .. ARGV[3], 'hold', 'ttl')

local function refusal()
  local newer = fenced(record)
  if newer then return {'fenced', newer} end
  if not r[1] then return {'gone', ''} end
  if r[1] ~= ARGV[2] or r[2] ~= ARGV[1] then return {'replaced', ''} end
  if is_close and redis.call('EXISTS', key) == 1 then return {'apart', ''} end
end

if is_open then redis.call('UNLINK', adding) end -- of a transaction whose scripts the server did not have
local refused = refusal()
if refused then
  if is_close then redis.call('UNLINK', adding) end
  return refused
end
if is_open and not may_call('MULTI') then return {'apart', ''} end -- other clients would see that the key is away
if is_open then
  if redis.call('EXISTS', key) == 1 then redis.call('RENAME', key, adding) end
  return {'done', ''}
end
if is_close then
  redis.call('RENAME', adding, key)
elseif phase == 'hash' then
  redis.call('HSET', key, unpack(ARGV, 7))
else
  for i = 7, #ARGV, 2 do redis.call('SETRANGE', key, ARGV[i], ARGV[i + 1]) end
end
redis.call('HSETNX', schema, ARGV[5], '') -- listed children may have no objects
redis.call('EXPIRE', key, math.max(tonumber(r[3] or '') or 0, tonumber(r[4] or '') or 1))
redis.call('HSET', record, 'until:' .. ARGV[3], milliseconds() + tonumber(ARGV[4]))
return {'done', ''}
