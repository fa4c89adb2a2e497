-- Releases the claim of a writer: the next writer need not wait until it ends.
-- KEYS: record. ARGV: token.
if redis.call('HGET', KEYS[1], 'token') == ARGV[1] then redis.call('HSET', KEYS[1], 'until', 0) end
return 1
