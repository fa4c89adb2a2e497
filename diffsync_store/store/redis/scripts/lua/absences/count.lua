-- Writes counts of one load and model. A new key expires, until the load is recorded.
-- KEYS: counts. ARGV: seconds to live; names and counts, by turns.
local is_new = redis.call('EXISTS', KEYS[1]) == 0
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
if is_new then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return 1
