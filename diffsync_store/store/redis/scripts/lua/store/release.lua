-- Releases the claim of a writer: the next writer need not wait until it ends.
-- KEYS: record. ARGV: token, number of the shard that the writer loads, or empty.
local r = redis.call('HMGET', KEYS[1], 'token', 'token:' .. ARGV[2])
if r[1] == ARGV[1] then redis.call('HSET', KEYS[1], 'until', 0) end
if r[2] == ARGV[1] then redis.call('HSET', KEYS[1], 'until:' .. ARGV[2], 0) end
return 1
